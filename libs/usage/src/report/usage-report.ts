import { Injectable } from '@nestjs/common';
import { PlatformDatabase, type Project } from '#libs/platform';
import { ProjectGauges } from '../gauges.js';
import type { Period, PeriodUnit } from '../hours.js';
import { alwaysOnCost, costOf, savedPercent } from '../prices/cost.js';
import type { PriceBook, Quantities } from '../prices/price-book.js';
import { PriceBooks } from '../prices/price-books.js';
import { UsageLedger } from '../usage-ledger.js';
import { functionQuantities, functionUsage, sumUsage, type FunctionUsage } from './function-usage.sql.js';
import { monthlyPrices, type MonthlyPrices } from './monthly-prices.js';
import { activeUsers, projectUsage, requestTotals, type ProjectUsage } from './project-usage.sql.js';
import { allFunctions, reservedPeaks } from './reserved-peaks.js';
import type { UsageQuery } from './usage-query.js';

/** What was paid so far, what it will be at the end of the period, and what an always-on server would have cost. */
interface Costs {
  readonly cost: number;
  readonly projected: number;
  readonly always_on: { readonly gb: number; readonly cost: number | null };
  readonly saved_percent: number | null;
}

/** Tells what a project used in a period, and what it cost. */
@Injectable()
export class UsageReport {
  constructor(
    private readonly database: PlatformDatabase,
    private readonly ledger: UsageLedger,
    private readonly books: PriceBooks,
    private readonly gauges: ProjectGauges,
  ) {}

  /** All of it: functions, requests, rows, what is stored, and what each costs. */
  async of(project: Project, { period, by, prices }: UsageQuery, now: Date) {
    await this.ledger.flush();
    const { ref } = project;
    const book = await this.books.named(ref, prices);
    const gauges = await this.gauges.note(this.database, project);
    const months = await monthlyPrices(this.database, ref, book, period, now);
    const usages = await functionUsage(this.database, ref, 'month', period);
    const project_ = await projectUsage(this.database, ref, 'month', period);
    const peaks = await reservedPeaks(this.database, ref, period);
    const functions = functionRows(usages, { book, months, period, peaks });
    const sum = (field: 'cost' | 'projected') => functions.reduce((total, row) => total + row[field], 0);
    const charges = chargesOf(usages, project_, book, months);
    return {
      period: { from: period.from, to: period.to },
      prices: { name: book.name, currency: book.currency, as_of: book.as_of, source: book.source },
      functions,
      requests: await requestTotals(this.database, ref, period),
      project: {
        ...totalsOf(project_),
        ...gauges,
        monthly_active_users: await activeUsers(this.database, ref, new Date(period.to.getTime() - 1)),
      },
      charges,
      total: {
        cost: charges.reduce((total, charge) => total + charge.cost, 0),
        projected: charges.reduce((total, charge) => total + charge.projected, 0),
        functions: compared(sum('cost'), sum('projected'), peaks.get(allFunctions) ?? 0, book, period),
      },
      ...(by !== 'function' && { series: await this.#series(ref, by, { book, months, period }) }),
    };
  }

  /** By hour or day and function, the oldest first. */
  async #series(ref: string, unit: PeriodUnit, { book, months, period }: Omit<Pricing, 'peaks'>) {
    const usages = await functionUsage(this.database, ref, unit, period);
    return usages.map((usage) => ({
      ...usage,
      cost: costOf(months.soFar(usage.at), functionQuantities(usage, book)),
    }));
  }
}

interface Pricing {
  readonly book: PriceBook;
  readonly months: MonthlyPrices;
  readonly period: Period;
  readonly peaks: ReadonlyMap<string, number>;
}

function functionRows(usages: readonly FunctionUsage[], pricing: Pricing) {
  const { book, months, period, peaks } = pricing;
  return [...sumUsage(usages, (usage) => usage.function)].toSorted(byName).map(([slug, sum]) => {
    const own = usages.filter((usage) => usage.function === slug);
    const cost = own.reduce(
      (total, usage) => total + costOf(months.soFar(usage.at), functionQuantities(usage, book)),
      0,
    );
    const projected = own.reduce(
      (total, usage) => total + costOf(months.projected(usage.at), functionQuantities(usage, book)),
      0,
    );
    const { at: _at, ...totals } = sum;
    return { ...totals, ...compared(cost, projected, peaks.get(slug) ?? 0, book, period) };
  });
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1;
}

function compared(cost: number, projected: number, peakGb: number, book: PriceBook, period: Period): Costs {
  const alwaysOn = alwaysOnCost(book, peakGb, period);
  return {
    cost,
    projected,
    always_on: { gb: peakGb, cost: alwaysOn },
    saved_percent: savedPercent(projected, alwaysOn),
  };
}

/** The lines of a bill: one for each quantity that has a price. */
function chargesOf(
  usages: readonly FunctionUsage[],
  project: readonly ProjectUsage[],
  book: PriceBook,
  months: MonthlyPrices,
) {
  const parts = [
    ...usages.map((usage) => ({ at: usage.at, quantities: functionQuantities(usage, book) })),
    ...project,
    ...months.averages,
  ];
  return book.rates.map(({ of, per, price, included }) => {
    const own = parts.filter(({ quantities }) => quantities[of] !== undefined);
    const sum = (value: (part: { at: Date; quantities: Quantities }) => number) =>
      own.reduce((total, part) => total + value(part), 0);
    return {
      of,
      quantity: sum(({ quantities }) => quantities[of]!),
      per,
      price,
      included,
      cost: sum(({ at, quantities }) => quantities[of]! * (months.soFar(at).get(of) ?? 0)),
      projected: sum(({ at, quantities }) => quantities[of]! * (months.projected(at).get(of) ?? 0)),
    };
  });
}

function totalsOf(usages: readonly ProjectUsage[]) {
  const sum = (name: keyof Quantities) =>
    usages.reduce((total, { quantities }) => total + (quantities[name] ?? 0), 0);
  return {
    requests: sum('requests'),
    bytes_in: sum('bytes_in'),
    bytes_out: sum('bytes_out'),
    rows_read: sum('rows_read'),
    rows_written: sum('rows_written'),
    events: sum('events'),
  };
}
