const firstMs = 250;
const longestMs = 5_000;

/** How long to wait after what failed, when `failures` in a row had failed before, so that an outage is asked about seldom. */
export function backoffMs(failures: number): number {
  return Math.min(longestMs, firstMs * 2 ** Math.min(failures, 10));
}
