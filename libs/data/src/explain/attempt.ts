import type { Caller, Sql } from '#libs/platform';
import { refuseCostlyPlan } from '../guards/plan-cost.js';
import type { MutatePlan, ReadPlan } from '../plan/plan.js';
import { checkResult } from '../response/check-result.js';
import { errorResponse } from '../response/error-response.js';
import type { ErrorBody } from '../response/json-error.js';
import { resultOf, type Execution } from '../rest/execute.js';
import type { ResultRow, SqlQuery } from '../sql/sql-query.js';
import { tried } from './tried.js';

/** What the caller would be answered. */
export type Outcome =
  | { readonly succeeds: true; readonly rows: number }
  | { readonly succeeds: false; readonly status: number; readonly error: ErrorBody };

/** Runs the statement as the caller and takes it back. @throws what is no answer of the data API */
export async function attempt(
  tx: Sql,
  { caller, settings }: Pick<Execution, 'caller' | 'settings'>,
  plan: ReadPlan | MutatePlan,
  query: SqlQuery,
): Promise<Outcome> {
  const result = await tried(tx, async () => {
    await refuseCostlyPlan(tx, plan, query, settings);
    const { rows } = await tx.query<ResultRow>(query.text, query.values);
    const given = resultOf(plan, rows[0]!);
    checkResult(plan, given);
    // Constraints that are deferred would be checked at the end.
    await tx.query('set constraints all immediate');
    return given.pageTotal;
  });
  return 'error' in result ? refusal(result.error, caller) : { succeeds: true, rows: result.value };
}

function refusal(error: unknown, caller: Caller): Outcome {
  const response = errorResponse(error, caller);
  if (!response) throw error;
  return {
    succeeds: false,
    status: response.status,
    error: JSON.parse(response.body as string) as ErrorBody,
  };
}

interface RefusedRow {
  readonly table: string;
  /** PostgreSQL names only policies that restrict. */
  readonly policy: string | null;
  /** It was there already, and an upsert may not merge into it. */
  readonly isExisting: boolean;
}

/** What PostgreSQL says of a row that row-level security refused. */
export function refusedRow(outcome: Outcome): RefusedRow | undefined {
  if (outcome.succeeds || outcome.error.code !== '42501') return undefined;
  const match =
    /^new row violates row-level security policy (?:"(.+)" )?(\(USING expression\) )?for table "(.+)"$/.exec(
      outcome.error.message,
    );
  return match
    ? { table: match[3]!, policy: match[1] ?? null, isExisting: match[2] !== undefined }
    : undefined;
}
