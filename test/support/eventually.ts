import { setTimeout as delay } from 'node:timers/promises';

const pollMs = 10;

/** Waits until `read` returns something other than undefined, null or false, and returns it. */
export async function eventually<T>(
  read: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  options: { within?: number; what?: string } = {},
): Promise<T> {
  const { within = 15_000, what = 'the condition' } = options;
  const deadline = Date.now() + within;
  for (;;) {
    const value = await read();
    if (value !== undefined && value !== null && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`${what} did not hold within ${within} ms`);
    await delay(pollMs);
  }
}
