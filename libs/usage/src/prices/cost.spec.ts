import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { alwaysOnCost, costOf, listPrices, savedPercent, unitPrices } from './cost.js';
import { freeBook, presets } from './presets.js';
import { priceBook, pricedQuantities, type PriceBook } from './price-book.js';

const amount = fc.double({ min: 0, max: 1e9, noNaN: true });
const quantities = fc.record(Object.fromEntries(pricedQuantities.map((name) => [name, amount])));
const book: fc.Arbitrary<PriceBook> = fc
  .uniqueArray(
    fc.record({
      of: fc.constantFrom(...pricedQuantities),
      per: fc.double({ min: 1, max: 1e9, noNaN: true }),
      price: fc.double({ min: 0, max: 100, noNaN: true }),
      included: fc.oneof(fc.constant(0), amount),
    }),
    { selector: ({ of }) => of, minLength: 1 },
  )
  .map((rates) => priceBook.parse({ name: 'Any', currency: 'EUR', rates }));

const close = (a: number, b: number) => Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b));

describe('the cost of a month', () => {
  it('is for each quantity what is above the included at its price, whatever the book', () => {
    fc.assert(
      fc.property(book, quantities, (prices, used) => {
        let expected = 0;
        for (const { of, per, price, included } of prices.rates) {
          expected += (Math.max(0, used[of]! - included) / per) * price;
        }
        expect(close(costOf(unitPrices(prices, used), used), expected)).toBe(true);
      }),
    );
  });

  it('is what its parts cost together, however it is cut', () => {
    fc.assert(
      fc.property(book, fc.array(quantities, { minLength: 1, maxLength: 8 }), (prices, parts) => {
        const total = Object.fromEntries(
          pricedQuantities.map((name) => [name, parts.reduce((sum, part) => sum + part[name]!, 0)]),
        );
        const month = unitPrices(prices, total);
        const together = parts.reduce((sum, part) => sum + costOf(month, part), 0);
        expect(close(together, costOf(month, total))).toBe(true);
      }),
    );
  });

  it('is that of the published examples', () => {
    const million = { invocations: 3_000_000, gb_seconds: 3_000_000 * 0.12 * 1.5 };
    // 3 million calls of 120 ms with 1536 MB: 0.60 for the calls and 540,000 GB-s.
    expect(costOf(listPrices(presets['aws-lambda']!), million)).toBeCloseTo(0.6 + 540_000 * 0.0000166667, 9);
    const month = {
      invocations: 3_000_000,
      bytes_out: 260e9,
      bytes_stored: 50e9,
      monthly_active_users: 101_000,
    };
    expect(costOf(unitPrices(presets['supabase']!, month), month)).toBeCloseTo(2 + 0.9 + 3.25, 9);
    expect(costOf(unitPrices(freeBook, month), month)).toBe(0);
  });
});

describe('an always-on server', () => {
  const day = { from: new Date('2026-11-01T00:00:00Z'), to: new Date('2026-11-02T00:00:00Z') };

  it('is priced by the memory that it needs at the peak, for the whole period', () => {
    expect(alwaysOnCost(presets['aws-lambda']!, 0.5, day)).toBeCloseTo(0.5 * 86_400 * 0.0000166667, 9);
    expect(alwaysOnCost(freeBook, 0.5, day)).toBeNull();
  });

  it('may be a server by name, of which there are as many as hold the peak', () => {
    const server = { name: 'small', memory_gb: 2, price_per_hour: 0.02 };
    expect(alwaysOnCost({ ...freeBook, always_on: server }, 4.1, day)).toBeCloseTo(3 * 24 * 0.02, 9);
  });

  it('is what is saved of, in percent', () => {
    expect(savedPercent(2, 10)).toBe(80);
    expect(savedPercent(15, 10)).toBe(-50);
    expect([savedPercent(1, null), savedPercent(0, 0)]).toEqual([null, null]);
  });
});
