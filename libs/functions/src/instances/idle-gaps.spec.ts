import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { IdleGaps } from './idle-gaps.js';
import { poolLimits } from './pool-limits.js';

const second = 1000;

function after(...gapsMs: readonly number[]): number {
  const gaps = new IdleGaps();
  let nowMs = 0;
  gaps.noteCall(nowMs);
  for (const gapMs of gapsMs) {
    gaps.noteRest(nowMs);
    gaps.noteCall((nowMs += gapMs));
  }
  return gaps.keepMs;
}

const times = (count: number, gapMs: number) => Array<number>(count).fill(gapMs);

describe('how long an unused instance is kept', () => {
  it('is the usual time until enough is known', () => {
    expect(after()).toBe(poolLimits.usualIdleMs);
    expect(after(...times(poolLimits.knownGaps - 1, second))).toBe(poolLimits.usualIdleMs);
  });

  it('is a little longer than the function mostly rests', () => {
    const keptMs = after(...times(100, 60 * second));
    expect(keptMs).toBeGreaterThanOrEqual(60 * second);
    expect(keptMs).toBeLessThan(90 * second);
  });

  it('is short for one that is called all the time, and for one that is hardly ever called', () => {
    expect(after(...times(100, 10))).toBe(poolLimits.shortestIdleMs);
    expect(after(...times(100, 3600 * second))).toBe(poolLimits.shortestIdleMs);
  });

  it('passes over the few gaps that no instance is kept through', () => {
    expect(after(...times(80, 20 * second), ...times(20, 3600 * second))).toBeLessThan(30 * second);
  });

  it('follows a function that changes', () => {
    const before = times(190, 10 * second);
    expect(after(...before, ...times(1000, 120 * second))).toBeGreaterThan(120 * second);
  });

  it('is always between the shortest and the longest', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(10_000_000), { maxLength: 500 }), (gapsMs) => {
        const keptMs = after(...gapsMs);
        expect(keptMs).toBeGreaterThanOrEqual(poolLimits.shortestIdleMs);
        expect(keptMs).toBeLessThanOrEqual(poolLimits.longestIdleMs);
      }),
    );
  });
});
