import { scheduleOf, type NewSchedule } from '#libs/events';
import type { Manifest } from './manifest.js';

/** When the clock wakes a function. */
export function schedulesOf(manifest: Manifest): NewSchedule[] {
  return manifest.schedule.map(scheduleOf);
}
