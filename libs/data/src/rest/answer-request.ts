import { AppError } from '#libs/platform';
import { explainPolicies } from '../explain/explain-policies.js';
import { explainedExecution } from '../explain/explained-caller.js';
import { refuseDeepEmbeds } from '../guards/embed-depth.js';
import { makePlan } from '../plan/make-plan.js';
import type { Plan } from '../plan/plan.js';
import type { ApiRequest } from '../request/api-request.js';
import type { HttpRequest } from '../request/http-request.js';
import { parseRequest } from '../request/parse-request.js';
import type { HttpResponse } from '../response/http-response.js';
import { withResponseSettings } from '../response/response-settings.js';
import { toResponse } from '../response/to-response.js';
import { projectSchema } from '../schema-cache/project-schema.js';
import { toSql } from '../sql/to-sql.js';
import { execute, type Execution } from './execute.js';
import { refuseUndeclaredCall } from './function-permission.js';
import type { ServerTiming } from './server-timing.js';
import { transactionOf } from './transaction.js';

/** Answers a request for a table, a view or a function: five values, each made from the one before. */
export async function answerRequest(
  execution: Execution,
  http: HttpRequest,
  timing: ServerTiming,
): Promise<HttpResponse> {
  const request = parseRequest(http, execution.settings);
  timing.end('parse');
  return request.preferences.explain
    ? answerExplained(execution, request, timing)
    : answerParsed(execution, request, timing);
}

async function answerExplained(
  asked: Execution,
  request: ApiRequest,
  timing: ServerTiming,
): Promise<HttpResponse> {
  const execution = await explainedExecution(asked);
  const plan = await planOf(request, execution);
  timing.end('plan');
  const response = await explainPolicies(execution, asked.caller, request, plan);
  timing.end('transaction');
  return response;
}

/** The four that follow the first. */
export async function answerParsed(
  execution: Execution,
  request: ApiRequest,
  timing: ServerTiming,
): Promise<HttpResponse> {
  const plan = await planOf(request, execution);
  timing.end('plan');
  const query = toSql(plan);
  timing.end('sql');
  const result = await execute(execution, transactionOf(execution, request, plan), plan, query);
  timing.end('transaction');
  execution.onRows(plan.kind === 'mutate' ? 'written' : 'read', result.changed ?? result.pageTotal);
  const response = withResponseSettings(toResponse(request, plan, result), result);
  timing.end('response');
  return response;
}

async function planOf(request: ApiRequest, execution: Execution): Promise<Plan> {
  refuseDeepEmbeds(request, execution.settings);
  refuseUndeclaredCall(request, execution.caller);
  return planWithFreshSchema(request, execution);
}

/** Plans against the snapshot in use, and once more against a newer one when something was not found in it. */
async function planWithFreshSchema(request: ApiRequest, { project, settings }: Execution): Promise<Plan> {
  const schema = projectSchema(project);
  const current = schema.current(settings);
  const snapshot = current instanceof Promise ? await current : current;
  try {
    return makePlan(request, snapshot, settings);
  } catch (error) {
    if (!(error instanceof AppError) || !error.code.startsWith('PGRST2')) throw error;
    const newer = await schema.newerThan(snapshot);
    if (newer === snapshot) throw error;
    return makePlan(request, newer, settings);
  }
}
