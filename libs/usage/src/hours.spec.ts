import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { hourText, lengthMs, periodOf, periodsIn, wholeHours } from './hours.js';

const moment = fc.date({
  min: new Date('2000-01-01T00:00:00Z'),
  max: new Date('2100-01-01T00:00:00Z'),
  noInvalidDate: true,
});
const unit = fc.constantFrom('hour', 'day', 'month' as const);

describe('periods', () => {
  it('hold the moment that they are of, and begin where the one before ends', () => {
    fc.assert(
      fc.property(unit, moment, (each, at) => {
        const { from, to } = periodOf(each, at);
        expect(from <= at && at < to).toBe(true);
        expect(periodOf(each, new Date(from.getTime() - 1)).to).toEqual(from);
        expect(periodOf(each, to).from).toEqual(to);
      }),
    );
  });

  it('split any time into parts that together are all of it, hours into days into months', () => {
    fc.assert(
      fc.property(moment, fc.integer({ min: 1, max: 2000 }), (at, hours) => {
        const from = periodOf('hour', at).from;
        const period = { from, to: new Date(from.getTime() + hours * 3_600_000) };
        expect(periodsIn('hour', period)).toHaveLength(hours);
        for (const each of ['day', 'month'] as const) {
          const parts = periodsIn(each, period);
          expect(parts[0]!.from <= period.from && period.to <= parts.at(-1)!.to).toBe(true);
          const within = parts.map((part) => {
            const start = Math.max(part.from.getTime(), period.from.getTime());
            return Math.min(part.to.getTime(), period.to.getTime()) - start;
          });
          expect(within.reduce((sum, ms) => sum + ms, 0)).toBe(lengthMs(period));
        }
      }),
      { numRuns: 30 },
    );
  });

  it.each([
    ['month', '2026-01-31T23:59:59.999Z', '2026-01-01T00:00:00.000Z', '2026-02-01T00:00:00.000Z'],
    ['month', '2028-02-29T12:00:00Z', '2028-02-01T00:00:00.000Z', '2028-03-01T00:00:00.000Z'],
    // The clocks of Berlin go back an hour: that day has 24 hours here all the same.
    ['day', '2026-10-25T02:30:00+02:00', '2026-10-25T00:00:00.000Z', '2026-10-26T00:00:00.000Z'],
    // Still the day before, where it is written.
    ['day', '2026-11-01T00:30:00+01:00', '2026-10-31T00:00:00.000Z', '2026-11-01T00:00:00.000Z'],
    ['hour', '2026-11-01T05:45:00+05:45', '2026-11-01T00:00:00.000Z', '2026-11-01T01:00:00.000Z'],
  ] as const)('of a %s at %s are those of UTC', (each, at, from, to) => {
    expect(periodOf(each, new Date(at))).toEqual({ from: new Date(from), to: new Date(to) });
  });

  it('are widened to whole hours', () => {
    expect(
      wholeHours({ from: new Date('2026-11-01T00:30:00Z'), to: new Date('2026-11-01T01:00:00.001Z') }),
    ).toEqual({
      from: new Date('2026-11-01T00:00:00Z'),
      to: new Date('2026-11-01T02:00:00Z'),
    });
    expect(hourText(new Date('2026-11-01T00:59:59.999Z'))).toBe('2026-11-01T00:00:00.000Z');
  });
});
