import { lastTimes } from './cron.js';
import { nextRun, type ScheduleSettings } from './schedule.js';
import { scheduleLimits } from './schedule-limits.js';

/** A schedule as a scheduler finds it. */
export interface DueSchedule extends ScheduleSettings {
  readonly nextAt: Date | null;
  readonly waiting: readonly Date[];
  /** A run has not ended. */
  readonly isRunning: boolean;
  /** There is a function that it could wake. */
  readonly isInService: boolean;
}

export interface Decision {
  /** When the runs that are to be made now were due. */
  readonly fire: readonly Date[];
  readonly waiting: readonly Date[];
  readonly nextAt: Date | null;
  /** Runs that are due and not made. */
  readonly skipped: number;
}

/** What a schedule does at `now`. */
export function decide(schedule: DueSchedule, now: Date): Decision {
  const due = dueTimes(schedule, now);
  const { nextAt } = schedule;
  const decision = { waiting: [], nextAt: nextAt && nextAt <= now ? nextRun(schedule.timing, now) : nextAt };
  const line = [...schedule.waiting, ...due];
  if (!schedule.isInService) return { ...decision, fire: [], skipped: line.length };
  if (schedule.overlap === 'allow') return { ...decision, fire: line, skipped: 0 };
  const fire = schedule.isRunning ? [] : line.slice(0, 1);
  const rest = line.slice(fire.length);
  if (schedule.overlap === 'skip') return { ...decision, fire, skipped: rest.length };
  const waiting = rest.slice(-scheduleLimits.waitingRuns);
  return { ...decision, fire, waiting, skipped: rest.length - waiting.length };
}

/** The times that have come, without those that were missed and that the schedule does not make up for. */
function dueTimes({ timing, nextAt, missed }: DueSchedule, now: Date): Date[] {
  if (!nextAt || nextAt > now) return [];
  const late = new Date(now.getTime() - scheduleLimits.lateMs);
  const onTime = timesIn(nextAt > late ? nextAt : late, now);
  if (nextAt >= late || missed === 'skip') return onTime;
  if (missed === 'last') return onTime.length > 0 ? onTime : timesIn(nextAt, late, 1);
  return [...timesIn(nextAt, new Date(late.getTime() - 1), scheduleLimits.missedRuns), ...onTime];

  function timesIn(from: Date, to: Date, most = Infinity): Date[] {
    if (timing.at) return timing.at >= from && timing.at <= to ? [timing.at] : [];
    return lastTimes({ expression: timing.cron, timeZone: timing.timeZone }, from, to, most);
  }
}
