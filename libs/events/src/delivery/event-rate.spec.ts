import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { admit } from './event-rate.js';

it('never lets more begin within any period than the rate says, and lets the next begin when it said', () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 60 });
  fc.assert(
    fc.property(
      gaps,
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 100, max: 1000 }),
      (waits, count, period) => {
        const rate = { count, period_ms: period };
        let state: number[] = [];
        let now = 0;
        const begun: number[] = [];
        for (const wait of waits) {
          now += wait;
          const { waitMs, begun: after } = admit(state, now, rate);
          if (waitMs > 0) {
            expect(admit(after, now + waitMs, rate).waitMs).toBe(0);
            expect(admit(after, now + waitMs - 1, rate).waitMs).toBeGreaterThan(0);
            continue;
          }
          state = after;
          begun.push(now);
        }
        for (const at of begun)
          expect(begun.filter((other) => other > at - period && other <= at).length).toBeLessThanOrEqual(
            count,
          );
      },
    ),
  );
});
