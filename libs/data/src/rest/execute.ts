import type { Caller, CallerTransaction, Project, Sql } from '#libs/platform';
import type { Plan } from '../plan/plan.js';
import type { HttpRequest } from '../request/http-request.js';
import { checkResult } from '../response/check-result.js';
import type { QueryResult } from '../response/query-result.js';
import type { RestSettings } from '../settings/rest-settings.js';
import type { Estimate, ResultRow, SqlQuery } from '../sql/sql-query.js';
import { preparedStatements } from './prepared-statements.js';

/** Who asks, through which request. */
export interface Execution {
  readonly project: Project;
  readonly caller: Caller;
  readonly requestId: string;
  readonly http: HttpRequest;
  readonly settings: RestSettings;
  /** Is told how many rows were answered, or changed. */
  onRows(kind: 'read' | 'written', rows: number): void;
}

/**
 * Runs the statement as the caller: the only step of the data API that talks to the database. One round trip,
 * except where the result decides whether a change stays or the planner is asked for an estimate.
 *
 * @throws AppError PGRST116, PGRST124 when the result is not what the client will take; a change is rolled back
 * @throws pg's DatabaseError with its SQLSTATE
 */
export async function execute(
  { project, caller }: Execution,
  transaction: CallerTransaction,
  plan: Plan,
  query: SqlQuery,
): Promise<QueryResult> {
  const { text, values, readOnly } = query;
  const request = { ...transaction, readOnly };
  const mayUndo = !readOnly && (plan.expected.exactlyOne || plan.expected.atMost !== undefined);
  if (!mayUndo && !query.estimate) {
    const statementName = preparedStatements(project).nameOf(caller.role, text);
    const named = { ...request, statementName };
    const { rows } = await project.database.queryAsCaller<ResultRow>(caller, named, text, values);
    return checked(plan, resultOf(rows[0]!));
  }
  return project.database.asCaller(caller, request, async (tx) => {
    const { rows } = await tx.query<ResultRow>(text, values);
    const result = checked(plan, resultOf(rows[0]!));
    return query.estimate ? withEstimate(tx, plan, result, query.estimate) : result;
  });
}

function checked(plan: Plan, result: QueryResult): QueryResult {
  checkResult(plan, result);
  return result;
}

function resultOf(row: ResultRow): QueryResult {
  return {
    body: row.body,
    pageTotal: Number(row.page_total),
    total: row.total === null ? undefined : Number(row.total),
    location: row.location ?? undefined,
    inserted: row.inserted === null ? undefined : Number(row.inserted),
    changed: row.changed === undefined ? undefined : Number(row.changed),
    responseHeaders: row.response_headers ?? undefined,
    responseStatus: row.response_status ?? undefined,
  };
}

async function withEstimate(
  tx: Sql,
  plan: Plan,
  result: QueryResult,
  estimate: Estimate,
): Promise<QueryResult> {
  const counted = result.total ?? 0;
  if (counted <= estimate.above) return result;
  const { rows } = await tx.query<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>(
    estimate.text,
    estimate.values,
  );
  const estimated = rows[0]!['QUERY PLAN'][0].Plan['Plan Rows'];
  // There are never fewer rows than were seen.
  const seen = result.pageTotal === 0 ? 0 : plan.rows.range.offset + result.pageTotal;
  return { ...result, total: Math.max(counted, estimated, seen) };
}
