import type { CallerTransaction } from '#libs/platform';
import { limitError, notImplemented, pgrstError } from '../errors.js';
import { limits } from '../limits.js';
import { refuseUnknownPreferences } from '../plan/heed-preferences.js';
import { parseRequest } from '../request/parse-request.js';
import { parsePrefer, type Preferences } from '../request/prefer.js';
import { resolveSchema } from '../request/target.js';
import type { HttpResponse } from '../response/http-response.js';
import { answerParsed } from '../rest/answer-request.js';
import type { Execution } from '../rest/execute.js';
import { ServerTiming } from '../rest/server-timing.js';
import { transactionOf } from '../rest/transaction.js';
import { projectSchema } from '../schema-cache/project-schema.js';
import { nameKey } from '../schema-cache/schema-cache.js';
import { BatchRequestError } from './batch-request-error.js';
import { BatchResponses } from './batch-responses.js';
import { httpRequestOf } from './http-request-of.js';
import { parseBatch, type BatchRequest } from './parse-batch.js';
import { inWordsOf, resolveRequest } from './path-references.js';

export const batchPath = 'batch';

/** Whether a request of this path is a batch. Where a table has its name it is an insert, as without batches. */
export async function isBatch({ http, project, settings }: Execution): Promise<boolean> {
  if (http.method !== 'POST') return false;
  const { schema } = resolveSchema(http, settings);
  const known = projectSchema(project);
  // Not from an old snapshot: what is meant for a table that was just made must not be taken for a batch.
  const cache = await known.newerThan(await known.current(settings));
  return !cache.tables.has(nameKey(schema, batchPath));
}

/**
 * Answers several requests in one transaction, as the caller: all of them are done, or none.
 * @throws BatchRequestError around what the first request that fails was refused with
 */
export async function answerBatch(execution: Execution, timing: ServerTiming): Promise<HttpResponse> {
  const { http, project, caller, settings } = execution;
  const preferences = parsePrefer(http.headers['prefer'], settings.txEnd);
  refuseUnknownPreferences({ preferences });
  refuseToExplain(preferences);
  const requests = parseBatch(http);
  timing.end('parse');
  const begin = beginOf(execution, requests, preferences);
  const { responses, rows } = await project.database.inOneTransaction(caller, begin, async (database) => {
    const counted = new BatchRows();
    const onRows: Execution['onRows'] = (kind, count) => counted.add(kind, count);
    const answered = await answerInTurn(requests, { ...execution, database, onRows });
    return { responses: answered, rows: counted };
  });
  timing.end('transaction');
  execution.onRows('read', rows.read);
  execution.onRows('written', rows.written);
  const body = responses.toJson();
  timing.end('response');
  return { status: 200, headers: headersOf(preferences), body };
}

/** What was asked to be explained must not be done. @throws AppError PGRST127 */
function refuseToExplain({ explain }: Preferences): void {
  if (explain) throw notImplemented('explain=policies is for one request, outside of a batch.');
}

function headersOf({ tx, handling }: Preferences): HttpResponse['headers'] {
  const applied = [...(tx ? [`tx=${tx}`] : []), ...(handling ? [`handling=${handling}`] : [])];
  return {
    'content-type': 'application/json; charset=utf-8',
    ...(applied.length > 0 && { 'preference-applied': applied.join(', ') }),
  };
}

/** Of the batch itself; what its requests know they say themselves. */
function beginOf(
  execution: Execution,
  requests: readonly BatchRequest[],
  preferences: Preferences,
): CallerTransaction {
  const { schema } = resolveSchema(execution.http, execution.settings);
  const readOnly = requests.every(({ method }) => method === 'GET' || method === 'HEAD');
  const { requestId, abandonment, isolation, undo } = transactionOf(execution, { schema, preferences });
  return {
    requestId,
    abandonment,
    isolation,
    readOnly,
    undo: undo === true && !readOnly,
    // A response is not that of the request before.
    settings: { 'response.headers': '', 'response.status': '' },
  };
}

async function answerInTurn(
  requests: readonly BatchRequest[],
  execution: Execution,
): Promise<BatchResponses> {
  const responses = new BatchResponses();
  const latest = Date.now() + limits.batchMs;
  for (const [index, request] of requests.entries()) {
    const { id } = request;
    try {
      if (Date.now() > latest) throw timeError();
      responses.add(id, await answerOne(request, execution, responses));
    } catch (error) {
      throw new BatchRequestError({ index, id }, error);
    }
  }
  return responses;
}

function timeError() {
  return pgrstError('PGRST100', {
    message: `The batch has taken more than ${limits.batchMs} ms`,
    hint: 'Split it into several.',
  });
}

async function answerOne(
  request: BatchRequest,
  batch: Execution,
  { bodyAt }: BatchResponses,
): Promise<HttpResponse> {
  const http = httpRequestOf(request, batch.http, bodyAt);
  const execution = { ...batch, http };
  if (http.path === batchPath && (await isBatch(execution))) {
    throw pgrstError('PGRST102', { message: 'A batch cannot be a request of a batch' });
  }
  const parsed = inWordsOf(request.template, () => parseRequest(http, batch.settings));
  refuseToExplain(parsed.preferences);
  const resolved = resolveRequest(parsed, request.template, bodyAt);
  const response = await answerParsed(execution, resolved, new ServerTiming(0));
  if (request.template.references.length === 0) return response;
  // The address would be that of the marks in the place of the references.
  const { 'content-location': _, ...headers } = response.headers;
  return { ...response, headers };
}

/** Counts rows, which nobody has read or written before the batch is done. */
class BatchRows {
  read = 0;
  written = 0;

  /** @throws AppError PGRST100 when they are too many */
  add(kind: 'read' | 'written', count: number): void {
    this[kind] += count;
    if (this.read + this.written > limits.batchRows) {
      throw limitError('rows that its requests answer or change', limits.batchRows);
    }
  }
}
