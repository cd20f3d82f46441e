import { setTimeout as delay } from 'node:timers/promises';

const pollMs = 10;
/** A look counts for no more: a process that was stopped meanwhile, or had no processor, has not waited. */
const longestLookMs = 1_000;

/** Waits until `read` returns something other than undefined, null or false, and returns it. */
export async function eventually<T>(
  read: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  options: { within?: number; what?: string } = {},
): Promise<T> {
  const { within = 15_000, what = 'the condition' } = options;
  let waitedMs = 0;
  for (;;) {
    const beganAt = performance.now();
    const value = await read();
    if (value !== undefined && value !== null && value !== false) return value;
    if (waitedMs > within) throw new Error(`${what} did not hold within ${within} ms`);
    await delay(pollMs);
    waitedMs += Math.min(performance.now() - beganAt, longestLookMs);
  }
}
