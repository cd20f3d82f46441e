const firstRetryMs = 1_000;
export const longestRetryMs = 10 * 60_000;

/**
 * How long to wait before the try after `failures` failed ones: 1 s, 2 s, 4 s … up to 10 min, each between half and
 * the whole of that ("equal jitter"), so that what failed together is not tried again together.
 */
export function retryDelayMs(failures: number, random: () => number = Math.random): number {
  const full = Math.min(longestRetryMs, firstRetryMs * 2 ** Math.max(0, failures - 1));
  return Math.round(full / 2 + (full / 2) * random());
}
