import type { RetrySchedule } from '../delivery/subscription-settings.js';

export const longestRetryMs = 10 * 60_000;
const standard: RetrySchedule = { min_ms: 1_000, max_ms: longestRetryMs, factor: 2 };

/**
 * How long to wait before the try after `failures` failed ones: as `schedule` says, by default 1 s, 2 s, 4 s … up to
 * 10 min, each between half and the whole of that ("equal jitter"), so that what failed together is not tried again
 * together.
 */
export function retryDelayMs(
  failures: number,
  schedule: RetrySchedule = standard,
  random: () => number = Math.random,
): number {
  const full = fullDelayMs(Math.max(1, failures), schedule);
  return Math.round(full / 2 + (full / 2) * random());
}

function fullDelayMs(failures: number, schedule: RetrySchedule): number {
  if ('delays_ms' in schedule) return schedule.delays_ms[Math.min(failures, schedule.delays_ms.length) - 1]!;
  return Math.min(schedule.max_ms, schedule.min_ms * schedule.factor ** (failures - 1));
}
