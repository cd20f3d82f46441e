import type { Caller, Sql } from '#libs/platform';
import { notImplemented } from '../errors.js';
import { limits } from '../limits.js';
import type { MutatePlan, Plan, ReadPlan } from '../plan/plan.js';
import type { ApiRequest } from '../request/api-request.js';
import type { HttpResponse } from '../response/http-response.js';
import type { Execution } from '../rest/execute.js';
import { transactionOf } from '../rest/transaction.js';
import { toSql } from '../sql/to-sql.js';
import { accessesOf } from './accesses.js';
import { attempt } from './attempt.js';
import { findingsOf } from './findings.js';
import { readProtections } from './protections.sql.js';
import { accessReport, type PolicyReport } from './report.js';
import { triesWithin, undone } from './tried.js';
import { tryPolicies } from './try-policies.js';

/**
 * Answers `Prefer: explain=policies`: instead of what a request gives, which row-level security policies and grants
 * decide about it, in a transaction that is rolled back.
 * @param execution  the request as whoever is explained would send it
 * @param asker  who sent it; only who holds the secret key is told of rows
 * @throws AppError PGRST127 for calls of functions
 */
export async function explainPolicies(
  execution: Execution,
  asker: Caller,
  request: ApiRequest,
  plan: Plan,
): Promise<HttpResponse> {
  if (plan.kind === 'call') {
    throw notImplemented(
      'explain=policies is for requests of tables and views: what a function does is known to itself alone.',
    );
  }
  const { project, caller } = execution;
  const readOnly = plan.kind === 'read';
  const transaction = { ...transactionOf(execution, request, plan), readOnly, undo: true };
  const report = await project.database.asCaller(caller, transaction, (tx) =>
    reportOf(tx, execution, asker, { ...plan, explain: undefined }),
  );
  return {
    status: 200,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'preference-applied': 'explain=policies',
      'cache-control': 'no-store',
    },
    body: request.headersOnly ? undefined : JSON.stringify(report),
  };
}

async function reportOf(
  tx: Sql,
  execution: Execution,
  asker: Caller,
  plan: ReadPlan | MutatePlan,
): Promise<PolicyReport> {
  const { role, userId } = execution.caller;
  const isTold = asker.kind === 'service';
  const all = await undone(tx, async () => {
    await tx.query(`select set_config('search_path', '', true)`);
    return readProtections(tx, accessesOf(plan), role);
  });
  // What views read with the rights of their owners is not a role's own.
  const protections = isTold ? all : all.filter((protection) => protection.role === role);
  const outcome = await attempt(tx, execution, plan, toSql(plan));
  const tryOut = triesWithin(tx, limits.explainMs);
  const trials = isTold
    ? await tryPolicies(tryOut, plan, protections, { role, serviceRole: asker.role })
    : undefined;
  return {
    role,
    user_id: userId,
    outcome,
    findings: findingsOf(outcome, protections, trials),
    accesses: protections.map((protection) => accessReport(protection, trials)),
  };
}
