import { derivedId } from '#libs/platform';
import { nextTime } from './cron.js';

export const overlaps = ['skip', 'queue', 'allow'] as const;
export const missedPolicies = ['skip', 'last', 'all'] as const;

/** When it fires: again and again, or once. */
export type Timing =
  | { readonly cron: string; readonly timeZone: string; readonly at: null }
  | { readonly cron: null; readonly timeZone: string; readonly at: Date };

/** What is to happen at which times. */
export interface ScheduleSettings {
  readonly timing: Timing;
  /** When a run is due and one before it has not ended: it is not made, waits, or is made beside it. */
  readonly overlap: (typeof overlaps)[number];
  /** Of runs that were due while no worker ran: none is made, the last, or each. */
  readonly missed: (typeof missedPolicies)[number];
  /** JSON text. */
  readonly payload: string;
}

export interface NewSchedule extends ScheduleSettings {
  readonly name: string;
}

/** The same function's schedule of the same name keeps its id over deployments. */
export function scheduleId(projectRef: string, functionSlug: string, name: string): string {
  return derivedId('schedule', projectRef, functionSlug, name);
}

/** When it fires next after `after`; null when it does not. */
export function nextRun(timing: Timing, after: Date): Date | null {
  if (timing.at) return timing.at > after ? timing.at : null;
  return nextTime({ expression: timing.cron, timeZone: timing.timeZone }, after);
}
