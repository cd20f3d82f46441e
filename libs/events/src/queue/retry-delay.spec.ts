import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { longestRetryMs, retryDelayMs } from './retry-delay.js';

const all = () => 1;

describe('the delay before a retry', () => {
  it('doubles with each failure', () => {
    const delays = [1, 2, 3, 4].map((failures) => retryDelayMs(failures, undefined, all));
    expect(delays).toEqual([1000, 2000, 4000, 8000]);
  });

  it('is spread over the upper half of its range', () => {
    expect(retryDelayMs(3, undefined, () => 0)).toBe(2000);
    expect(retryDelayMs(3, undefined, () => 0.5)).toBe(3000);
  });

  it('never exceeds its limit, however often it failed', () => {
    expect(retryDelayMs(1000, undefined, all)).toBe(longestRetryMs);
  });

  it('is taken from a list, whose last entry goes for all that follow', () => {
    const schedule = { delays_ms: [100, 5000, 60_000] };
    const delays = [1, 2, 3, 4, 20].map((failures) => retryDelayMs(failures, schedule, all));
    expect(delays).toEqual([100, 5000, 60_000, 60_000, 60_000]);
  });

  it('lies between half the least and the most of its schedule, and grows', () => {
    const schedule = fc
      .record({
        min_ms: fc.integer({ min: 100, max: 10_000 }),
        above: fc.integer({ min: 0, max: 1_000_000 }),
        factor: fc.double({ min: 1, max: 10, noNaN: true }),
      })
      .map(({ min_ms, above, factor }) => ({ min_ms, max_ms: min_ms + above, factor }));
    fc.assert(
      fc.property(
        schedule,
        fc.integer({ min: 1, max: 1000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (s, n, r) => {
          const delayMs = retryDelayMs(n, s, () => r);
          expect(delayMs).toBeGreaterThanOrEqual(Math.floor(s.min_ms / 2));
          expect(delayMs).toBeLessThanOrEqual(s.max_ms);
          expect(retryDelayMs(n + 1, s, () => r)).toBeGreaterThanOrEqual(delayMs);
        },
      ),
    );
  });
});
