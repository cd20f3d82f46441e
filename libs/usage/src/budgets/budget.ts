import { AppError } from '#libs/platform';
import { z } from 'zod';
import { usageLimits as limits } from '../limits.js';
import { costOf, type UnitPrices } from '../prices/cost.js';
import type { PriceBook, PricedQuantity, Quantities } from '../prices/price-book.js';

/** All functions of the project together, where else a function's name stands. */
export const allFunctions = '*';

const budgetInput = z.strictObject({
  /** null: all functions together. */
  function: z
    .string()
    .regex(/^[A-Za-z][\w-]{0,39}$/, "expected a function's name")
    .nullable()
    .default(null),
  measure: z.enum(['cost', 'invocations', 'gb_ms']),
  most: z.number().positive().max(1e15),
  period: z.enum(['day', 'month']).default('month'),
  /** The share of it at which a warning is given. */
  warn_at: z.number().positive().max(1).default(0.8),
});

export const budgetList = z
  .array(budgetInput)
  .max(limits.budgets)
  .refine((list) => new Set(list.map(budgetKey)).size === list.length, {
    error: 'expected one budget for each function, measure and period',
  });

/** What a project, or one of its functions, may use in a day or month of UTC. */
export type Budget = z.output<typeof budgetInput>;

export function budgetKey({ function: slug, measure, period }: Budget): string {
  return `${slug ?? allFunctions} ${measure} ${period}`;
}

/** What functions used: the quantities that budgets are about. */
export interface Used {
  readonly invocations: number;
  readonly gbMs: number;
  readonly quantities: Quantities;
}

export function usedOf(measure: Budget['measure'], used: Used, prices: UnitPrices): number {
  switch (measure) {
    case 'invocations':
      return used.invocations;
    case 'gb_ms':
      return used.gbMs;
    case 'cost':
      return costOf(prices, used.quantities);
  }
}

/** What of a price book a budget of `cost` is about. */
const ofFunctions: ReadonlySet<PricedQuantity> = new Set([
  'invocations',
  'gb_seconds',
  'cpu_seconds',
  'function_egress_bytes',
]);

/** Whether functions cost anything by these prices. */
export function hasCost({ rates }: PriceBook): boolean {
  return rates.some(({ of, price }) => price > 0 && ofFunctions.has(of));
}

/** A budget that is used up, in the words of the API. */
export interface ExceededBudget extends Omit<Budget, 'warn_at'> {
  readonly used: number;
  readonly currency: string | null;
  readonly resets_at: Date;
}

/** 429 `BUDGET_EXCEEDED`: says which budget, when its period ends and how to raise it. */
export class BudgetExceeded extends AppError {
  constructor(
    readonly budget: ExceededBudget,
    projectRef: string,
    now: Date,
  ) {
    const { function: slug, measure, most, period, currency, resets_at: resetsAt } = budget;
    const whose = slug === null ? 'The budget of this project' : `The budget of the function ${slug}`;
    const unit = measure === 'cost' ? currency : measure === 'gb_ms' ? 'GB-ms' : 'invocations';
    super({
      code: 'BUDGET_EXCEEDED',
      status: 429,
      message: `${whose}, ${most} ${unit} a ${period}, is used up until ${resetsAt.toISOString()}`,
      hint: `Raise it, for holders of the secret key: PUT /v1/projects/${projectRef}/budgets`,
      headers: { 'retry-after': String(Math.ceil((resetsAt.getTime() - now.getTime()) / 1000)) },
    });
  }
}
