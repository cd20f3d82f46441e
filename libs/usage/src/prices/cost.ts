import { lengthMs, type Period } from '../hours.js';
import type { PriceBook, PricedQuantity, Quantities } from './price-book.js';

/** What one of each quantity costs. */
export type UnitPrices = ReadonlyMap<PricedQuantity, number>;

/**
 * What one of each costs in a month in which so many were used: what is included is shared out among all of them, so that
 * the parts of a month, by day or function, together cost what the month does.
 */
export function unitPrices({ rates }: PriceBook, monthTotals: Quantities): UnitPrices {
  return new Map(
    rates.map(({ of, per, price, included }) => {
      const total = monthTotals[of] ?? 0;
      const charged = included === 0 ? 1 : total > included ? (total - included) / total : 0;
      return [of, (price / per) * charged];
    }),
  );
}

/** The prices without what is included. */
export function listPrices({ rates }: PriceBook): UnitPrices {
  return new Map(rates.map(({ of, per, price }) => [of, price / per]));
}

export function costOf(prices: UnitPrices, quantities: Quantities): number {
  let cost = 0;
  for (const [of, price] of prices) cost += (quantities[of] ?? 0) * price;
  return cost;
}

/**
 * What a server would have cost that is there for the whole period, with as much memory as functions ever held at once:
 * as many of the book's servers as hold it, or just that memory at the price that functions pay. Null when the book says
 * neither.
 */
export function alwaysOnCost(book: PriceBook, peakGb: number, period: Period): number | null {
  const seconds = lengthMs(period) / 1000;
  const { always_on: server } = book;
  if (server) return Math.ceil(peakGb / server.memory_gb) * (seconds / 3600) * server.price_per_hour;
  const price = listPrices(book).get('gb_seconds');
  return price === undefined ? null : peakGb * seconds * price;
}

/** How much less than `alwaysOn` is paid, in percent; negative when it is more, null when there is nothing to compare. */
export function savedPercent(cost: number, alwaysOn: number | null): number | null {
  return alwaysOn ? (1 - cost / alwaysOn) * 100 : null;
}
