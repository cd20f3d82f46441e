import { AppError, type Sql } from '#libs/platform';
import type { Plan } from '../plan/plan.js';
import type { CostGuards } from '../settings/rest-settings.js';
import type { SqlQuery } from '../sql/sql-query.js';
import { toSql } from '../sql/to-sql.js';

/**
 * Asks PostgreSQL what it expects the statement to cost, in its planner's units, before it runs; where there is no
 * bound nothing is asked. What a function does inside is not in it but for the function's own `cost`.
 * @throws AppError 54001 (400) when that is more than `maxPlanCost`
 */
export async function refuseCostlyPlan(
  tx: Sql,
  plan: Plan,
  query: SqlQuery,
  { maxPlanCost }: CostGuards,
): Promise<void> {
  if (maxPlanCost === undefined) return;
  // With `analyze` an EXPLAIN runs what it explains.
  const { text, values } = plan.explain ? toSql({ ...plan, explain: undefined }) : query;
  const { rows } = await tx.query<{ 'QUERY PLAN': [{ Plan: { 'Total Cost': number } }] }>(
    `explain (format json) ${text}`,
    values,
  );
  const cost = rows[0]!['QUERY PLAN'][0].Plan['Total Cost'];
  if (cost > maxPlanCost) throw costError(cost, maxPlanCost);
}

/** PostgreSQL's statement_too_complex, which no other part of the data API answers with 400. */
function costError(cost: number, maxPlanCost: number): AppError {
  return new AppError({
    code: '54001',
    status: 400,
    message: `The plan of the request costs ${cost}, and those of your role may cost ${maxPlanCost}`,
    details: 'PostgreSQL estimates the cost before it runs a statement; this one was not run.',
    hint: 'Ask for less: filter by columns that have an index, embed fewer tables, leave out count=exact, or have galley.max_plan_cost raised for the role.',
  });
}
