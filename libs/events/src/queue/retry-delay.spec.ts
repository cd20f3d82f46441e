import { describe, expect, it } from '@jest/globals';
import { longestRetryMs, retryDelayMs } from './retry-delay.js';

describe('the delay before a retry', () => {
  it('doubles with each failure', () => {
    expect([1, 2, 3, 4].map((failures) => retryDelayMs(failures, () => 1))).toEqual([1000, 2000, 4000, 8000]);
  });

  it('is spread over the upper half of its range', () => {
    expect(retryDelayMs(3, () => 0)).toBe(2000);
    expect(retryDelayMs(3, () => 0.5)).toBe(3000);
  });

  it('never exceeds its limit, however often it failed', () => {
    expect(retryDelayMs(1000, () => 1)).toBe(longestRetryMs);
  });
});
