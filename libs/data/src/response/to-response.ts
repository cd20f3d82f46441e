import { pgrstError } from '../errors.js';
import type { MutatePlan, Plan } from '../plan/plan.js';
import type { ApiRequest } from '../request/api-request.js';
import { contentRange, rangeStatus } from './content-range.js';
import type { HttpResponse } from './http-response.js';
import { preferenceApplied } from './preference-applied.js';
import type { QueryResult } from './query-result.js';

/**
 * Turns what the database gave into the HTTP response.
 * @throws AppError PGRST103 when the range begins behind the last row.
 */
export function toResponse(request: ApiRequest, plan: Plan, result: QueryResult): HttpResponse {
  const headers: Record<string, string> = {};
  const applied = preferenceApplied(plan, request.preferences);
  if (applied !== undefined) headers['preference-applied'] = applied;
  if (request.headersOnly || plan.output) headers['content-type'] = request.mediaType.contentType;
  if (plan.output && request.schemaWasNamed) headers['content-profile'] = request.schema;
  const status =
    plan.kind === 'mutate' ? changed(plan, result, headers) : read(request, plan, result, headers);
  return { status, headers, body: plan.output ? result.body : undefined };
}

function read(request: ApiRequest, plan: Plan, result: QueryResult, headers: Record<string, string>): number {
  const { pageTotal, total } = result;
  const { offset } = request.range;
  headers['content-range'] = contentRange(offset, pageTotal, total);
  const status = rangeStatus(offset, pageTotal, total);
  if (status === 416) {
    throw pgrstError('PGRST103', {
      message: 'Requested range not satisfiable',
      details: `An offset of ${offset} was requested, but there are only ${total} rows.`,
    });
  }
  return plan.kind === 'call' && plan.function.returns.kind === 'void' ? 204 : status;
}

function changed(plan: MutatePlan, result: QueryResult, headers: Record<string, string>): number {
  const { change } = plan;
  const rows = change.kind === 'update' ? result.pageTotal : 0;
  headers['content-range'] = contentRange(0, rows, result.total);
  if (change.kind !== 'insert') return plan.output ? 200 : 204;
  if (result.location) headers['location'] = locationOf(plan, result.location);
  return result.inserted === 0 ? 200 : 201;
}

/** Address of a single new row: its primary key as filters. */
function locationOf({ table }: MutatePlan, key: Readonly<Record<string, unknown>>): string {
  const filters = Object.entries(key).map(([name, value]) => {
    const filter =
      value === null ? 'is.null' : `eq.${typeof value === 'object' ? JSON.stringify(value) : String(value)}`;
    return `${encodeURIComponent(name)}=${encodeURIComponent(filter)}`;
  });
  return `/${encodeURIComponent(table.name)}?${filters.join('&')}`;
}
