import type { Sql } from '#libs/platform';
import { lengthMs, periodOf, periodsIn, type Period } from '../hours.js';
import { listPrices, unitPrices, type UnitPrices } from '../prices/cost.js';
import type { PriceBook, Quantities } from '../prices/price-book.js';
import { functionQuantities, functionUsage } from './function-usage.sql.js';
import { activeUsers, projectUsage, storedBytes } from './project-usage.sql.js';

/** What one of each costs in each month of a period, which depends on how much of what is included was used. */
export interface MonthlyPrices {
  soFar(at: Date): UnitPrices;
  /** What one of each that was used so far stands for at the end of the period, if it goes on as it went. */
  projected(at: Date): UnitPrices;
  /** What is no sum of what happened: bytes stored and active users, of each month. */
  readonly averages: readonly { readonly at: Date; readonly quantities: Quantities }[];
}

/** Those quantities do not grow with the time that goes by as the others do. */
const steady: ReadonlySet<string> = new Set(['bytes_stored', 'monthly_active_users']);

/**
 * Looks at the whole months, also where the period is a part of them. What is still to come of the period is taken to be
 * like what has been; users to stay as many as they are, and what is stored as much.
 */
export async function monthlyPrices(
  sql: Sql,
  projectRef: string,
  book: PriceBook,
  period: Period,
  now: Date,
): Promise<MonthlyPrices> {
  const months = periodsIn('month', period);
  const whole = { from: months[0]!.from, to: months.at(-1)!.to };
  const totals = await monthTotals(sql, projectRef, book, whole);
  const growth = growthOf(period, now);
  const soFar = new Map<number, UnitPrices>();
  const projected = new Map<number, UnitPrices>();
  const averages: { at: Date; quantities: Quantities }[] = [];
  for (const month of months) {
    const start = month.from.getTime();
    const users = { monthly_active_users: await activeUsers(sql, projectRef, month.from) };
    const storedUntil = (until: Date, part = month) => storedBytes(sql, projectRef, month, part, until);
    const own: Quantities = { ...totals.get(start), ...users, bytes_stored: await storedUntil(now) };
    const isNow = now >= month.from && now < month.to;
    const atEnd = isNow
      ? { ...scaled(own, growthOf(month, now)), bytes_stored: await storedUntil(month.to) }
      : own;
    const part = overlap(month, period);
    const stored = await storedUntil(now, part);
    averages.push({ at: month.from, quantities: { ...users, bytes_stored: stored } });
    soFar.set(start, unitPrices(book, own));
    const storedGrowth = stored === 0 ? 1 : (await storedUntil(part.to, part)) / stored;
    projected.set(start, grown(unitPrices(book, atEnd), growth, storedGrowth));
  }
  const of = (prices: ReadonlyMap<number, UnitPrices>) => (at: Date) =>
    prices.get(periodOf('month', at).from.getTime()) ?? listPrices(book);
  return { soFar: of(soFar), projected: of(projected), averages };
}

function overlap(a: Period, b: Period): Period {
  return { from: a.from > b.from ? a.from : b.from, to: a.to < b.to ? a.to : b.to };
}

/** How many times as long a period is as what has passed of it; 1 when it is over, or has not begun. The first hour counts as over. */
function growthOf(period: Period, now: Date): number {
  if (now <= period.from || now >= period.to) return 1;
  return lengthMs(period) / Math.max(3_600_000, now.getTime() - period.from.getTime());
}

function scaled(quantities: Quantities, factor: number): Quantities {
  const entries = Object.entries(quantities).map(([name, amount]) => [
    name,
    steady.has(name) ? amount : amount * factor,
  ]);
  return Object.fromEntries(entries) as Quantities;
}

function grown(prices: UnitPrices, growth: number, storedGrowth: number): UnitPrices {
  const factorOf = (name: string) => (name === 'bytes_stored' ? storedGrowth : steady.has(name) ? 1 : growth);
  return new Map([...prices].map(([name, price]) => [name, price * factorOf(name)]));
}

async function monthTotals(
  sql: Sql,
  projectRef: string,
  book: PriceBook,
  months: Period,
): Promise<Map<number, Quantities>> {
  const totals = new Map<number, Quantities>();
  const add = (at: Date, quantities: Quantities) => {
    const sum: Record<string, number> = { ...totals.get(at.getTime()) };
    for (const [name, amount] of Object.entries(quantities)) sum[name] = (sum[name] ?? 0) + amount;
    totals.set(at.getTime(), sum);
  };
  for (const usage of await functionUsage(sql, projectRef, 'month', months)) {
    add(usage.at, functionQuantities(usage, book));
  }
  for (const { at, quantities } of await projectUsage(sql, projectRef, 'month', months)) add(at, quantities);
  return totals;
}
