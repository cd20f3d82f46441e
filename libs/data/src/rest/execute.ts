import type { Abandonment, Caller, CallerStatements, CallerTransaction, Project, Sql } from '#libs/platform';
import { notImplemented } from '../errors.js';
import { refuseCostlyPlan } from '../guards/plan-cost.js';
import type { Plan } from '../plan/plan.js';
import type { HttpRequest } from '../request/http-request.js';
import { checkResult, isBounded, mayRefuse } from '../response/check-result.js';
import type { QueryResult } from '../response/query-result.js';
import type { RestSettings } from '../settings/rest-settings.js';
import type { Estimate, ResultRow, SqlQuery } from '../sql/sql-query.js';
import { projectSchema } from '../schema-cache/project-schema.js';
import { preparedStatements } from './prepared-statements.js';

/** Who asks, through which request. */
export interface Execution {
  readonly project: Project;
  /** The project's, or a transaction that is not this request's alone. */
  readonly database: CallerStatements;
  readonly caller: Caller;
  readonly requestId: string;
  readonly http: HttpRequest;
  readonly settings: RestSettings;
  readonly abandonment: Abandonment;
  /** Is told how many rows were answered, or changed. */
  onRows(kind: 'read' | 'written', rows: number): void;
}

/**
 * Runs the statement as the caller: the only step of the data API that talks to the database. One round trip,
 * except where the result decides whether a change stays or the planner is asked first or afterwards.
 *
 * @throws AppError 54001 when the plan costs more than it may
 * @throws AppError PGRST127 when a plan is asked for that cannot be had
 * @throws AppError PGRST1xx when the result is not what the client will take; a change is rolled back
 * @throws pg's DatabaseError with its SQLSTATE
 */
export async function execute(
  execution: Execution,
  transaction: CallerTransaction,
  plan: Plan,
  query: SqlQuery,
): Promise<QueryResult> {
  const { database, caller, settings } = execution;
  const isGuarded = settings.maxPlanCost !== undefined;
  const refuseCostly = (tx: Sql) => refuseCostlyPlan(tx, plan, query, settings);
  const { text, values, readOnly } = query;
  const request = { ...transaction, readOnly, undo: transaction.undo === true && !readOnly };
  if (plan.explain) {
    const runs = plan.explain.options.includes('analyze');
    if (runs && isGuarded) await database.asCaller(caller, { ...request, undo: true }, refuseCostly);
    const isUnchecked = runs && !readOnly && isBounded(plan);
    if (isUnchecked) refuseInBatch(execution);
    const asText = { ...request, undo: request.undo || isUnchecked, asText: true };
    const { rows } = await database.queryAsCaller<PlanRow>(caller, asText, text, values);
    return { ...nothing, body: rows.map((row) => `${row['QUERY PLAN']}\n`).join('') };
  }
  if (!isGuarded && !query.estimate && (readOnly || !mayRefuse(plan))) {
    return checked(plan, resultOf(plan, await rowAtOnce(execution, request, query)));
  }
  return database.asCaller(caller, request, async (tx) => {
    await refuseCostly(tx);
    const { rows } = await tx.query<ResultRow>(text, values);
    const result = checked(plan, resultOf(plan, rows[0]!));
    return query.estimate ? withEstimate(tx, plan, result, query.estimate) : result;
  });
}

/** How a transaction ends that others share is not said here. */
function refuseInBatch({ database, project }: Execution): void {
  if (database === project.database) return;
  throw notImplemented('In a batch a change that is bounded cannot be analyzed.');
}

/** The one row of a statement that is prepared, and asked once more as it is where that was outdated. */
async function rowAtOnce(
  execution: Execution,
  request: CallerTransaction,
  { text, values }: SqlQuery,
): Promise<ResultRow> {
  const { database, caller } = execution;
  const statementName = statementNameOf(execution, text);
  const run = (name: string | undefined) =>
    database.queryAsCaller<ResultRow>(caller, { ...request, statementName: name }, text, values);
  const { rows } = await run(statementName).catch((error: unknown) => {
    if (statementName !== undefined && mayBeOutdated(error)) return run(undefined);
    throw error;
  });
  return rows[0]!;
}

/** Not in a transaction that others share: it could not go on after an outdated statement. */
function statementNameOf({ project, database, caller }: Execution, text: string): string | undefined {
  if (database !== project.database) return undefined;
  return preparedStatements(project).nameOf(projectSchema(project).newest, caller.role, text);
}

// undefined_function, datatype_mismatch, numeric_value_out_of_range, invalid_text_representation, feature_not_supported
// ("cached plan must not change result type") and internal_error ("cache lookup failed for type").
const outdatedStates = new Set(['42883', '42804', '22003', '22P02', '0A000', 'XX000']);

/** Whether an error may be of a prepared statement alone, whose types were changed since; nothing has been done then. */
function mayBeOutdated(error: unknown): boolean {
  return outdatedStates.has((error as { code?: string }).code ?? '');
}

/** A line of the plan, or all of it in JSON. */
interface PlanRow {
  readonly 'QUERY PLAN': string;
}

const nothing: QueryResult = {
  body: '',
  pageTotal: 0,
  total: undefined,
  location: undefined,
  inserted: undefined,
  changed: undefined,
  responseHeaders: undefined,
  responseStatus: undefined,
};

function checked(plan: Plan, result: QueryResult): QueryResult {
  checkResult(plan, result);
  return result;
}

/** What the one row of a statement says. */
export function resultOf({ output }: Plan, row: ResultRow): QueryResult {
  const isBinary = output?.kind === 'custom' && output.handler.isBinary;
  return {
    body: isBinary ? Buffer.from(row.body, 'hex') : row.body,
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
