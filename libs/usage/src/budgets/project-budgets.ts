import { periodOf } from '../hours.js';
import { gbMs, type InvocationRecord } from '../invocation-record.js';
import { listPrices, unitPrices, type UnitPrices } from '../prices/cost.js';
import type { PriceBook } from '../prices/price-book.js';
import { allFunctions, budgetKey, usedOf, type Budget, type ExceededBudget, type Used } from './budget.js';
import type { UsedByFunction } from './budgets.sql.js';

/** What the budgets of a project know: as of one moment, and what ended in this process since. */
export interface Snapshot {
  readonly budgets: readonly Budget[];
  readonly book: PriceBook;
  readonly used: readonly UsedByFunction[];
  /** Of the moment that the sums are of. */
  readonly now: Date;
}

/** How a budget stands. */
export interface BudgetState {
  readonly budget: Budget;
  readonly used: number;
  readonly startsAt: Date;
  readonly resetsAt: Date;
}

type Sums = {
  invocations: number;
  gb_ms: number;
  whole_gb_ms: number;
  cpu_ms: number;
  egress_sent_bytes: number;
};

/** The budgets of one project, with sums that are kept current between looks at the database. */
export class ProjectBudgets {
  /** `day '*'`, `month thumbnails` → */
  readonly #sums = new Map<string, Sums>();
  readonly #starts: { readonly day: Date; readonly month: Date };
  readonly #hasIncluded: boolean;
  readonly #listPrices: UnitPrices;

  constructor(
    readonly snapshot: Snapshot,
    /** Invocations that end in this process are here from their beginning. */
    private readonly running: ReadonlyMap<string, number>,
  ) {
    const { now, used, book } = snapshot;
    this.#starts = { day: periodOf('day', now).from, month: periodOf('month', now).from };
    for (const row of used) {
      for (const period of ['day', 'month'] as const) {
        const { invocations, gb_ms, whole_gb_ms, cpu_ms, egress_sent_bytes } = row;
        this.#add(period, row.slug, {
          invocations: invocations[period],
          gb_ms: gb_ms[period],
          whole_gb_ms: whole_gb_ms[period],
          cpu_ms: cpu_ms[period],
          egress_sent_bytes: egress_sent_bytes[period],
        });
      }
    }
    this.#hasIncluded = book.rates.some(({ included }) => included > 0);
    this.#listPrices = listPrices(book);
  }

  /** When its periods are over it must be made anew. */
  isOver(now: Date): boolean {
    return now >= periodOf('day', this.#starts.day).to;
  }

  /** Adds an invocation that is not in the snapshot. */
  add(record: InvocationRecord): void {
    const sums = {
      invocations: 1,
      gb_ms: gbMs(record),
      whole_gb_ms: gbMs({ ...record, wallMs: Math.ceil(record.wallMs) }),
      cpu_ms: record.cpuMs,
      // Connections to other hosts are of an instance, not of one of its invocations: the snapshots have them.
      egress_sent_bytes: 0,
    };
    for (const period of ['day', 'month'] as const) {
      if (periodOf('hour', record.startedAt).from >= this.#starts[period]) {
        this.#add(period, record.functionSlug, sums);
      }
    }
  }

  states(): BudgetState[] {
    return this.snapshot.budgets.map((budget) => this.#stateOf(budget, () => 0));
  }

  /** The budget that does not let one more invocation of a function begin; those under way count as such. */
  exceeded(slug: string): ExceededBudget | undefined {
    for (const budget of this.snapshot.budgets) {
      if (budget.function !== null && budget.function !== slug) continue;
      const { used, resetsAt } = this.#stateOf(budget, (own) => this.#runningOf(own));
      if (used < budget.most) continue;
      const { warn_at: _warnAt, ...rest } = budget;
      const currency = budget.measure === 'cost' ? this.snapshot.book.currency : null;
      return { ...rest, used, currency, resets_at: resetsAt };
    }
    return undefined;
  }

  #runningOf(slug: string): number {
    if (slug !== allFunctions) return this.running.get(slug) ?? 0;
    let all = 0;
    for (const count of this.running.values()) all += count;
    return all;
  }

  #stateOf(budget: Budget, runningOf: (slug: string) => number): BudgetState {
    const { period, measure } = budget;
    const slug = budget.function ?? allFunctions;
    const used = usedOf(measure, this.#usedIn(period, slug, runningOf(slug)), this.#prices(runningOf));
    const { from, to } = periodOf(period, this.#starts[period]);
    return { budget, used, startsAt: from, resetsAt: to };
  }

  /** What is included in a month is shared out among all functions. */
  #prices(runningOf: (slug: string) => number): UnitPrices {
    if (!this.#hasIncluded) return this.#listPrices;
    const month = this.#usedIn('month', allFunctions, runningOf(allFunctions));
    return unitPrices(this.snapshot.book, month.quantities);
  }

  #usedIn(period: 'day' | 'month', slug: string, running: number): Used {
    const sums = this.#sums.get(`${period} ${slug}`);
    const gb = this.snapshot.book.duration_step_ms === 1 ? sums?.whole_gb_ms : sums?.gb_ms;
    const invocations = (sums?.invocations ?? 0) + running;
    return {
      invocations,
      gbMs: sums?.gb_ms ?? 0,
      quantities: {
        invocations,
        gb_seconds: (gb ?? 0) / 1000,
        cpu_seconds: (sums?.cpu_ms ?? 0) / 1000,
        function_egress_bytes: sums?.egress_sent_bytes ?? 0,
      },
    };
  }

  #add(period: 'day' | 'month', slug: string, more: Sums): void {
    for (const name of [slug, allFunctions]) {
      const key = `${period} ${name}`;
      const sums = this.#sums.get(key);
      if (!sums) {
        this.#sums.set(key, { ...more });
        continue;
      }
      sums.invocations += more.invocations;
      sums.gb_ms += more.gb_ms;
      sums.whole_gb_ms += more.whole_gb_ms;
      sums.cpu_ms += more.cpu_ms;
      sums.egress_sent_bytes += more.egress_sent_bytes;
    }
  }
}

/** Tells periods of budgets apart, and a budget that was changed from what it was. */
export function stateKey({ budget, startsAt }: BudgetState): string {
  return `${budgetKey(budget)} ${budget.most} ${startsAt.toISOString()}`;
}
