import { pgrstError } from '../errors.js';
import type { CallPlan, MutatePlan, Plan, ReadPlan } from '../plan/plan.js';
import type { ApiRequest } from '../request/api-request.js';
import { headerOfSchema } from '../request/profile-header.js';
import { contentLocation, locationOf } from './content-location.js';
import { contentRange, rangeStatus } from './content-range.js';
import type { HttpResponse } from './http-response.js';
import { preferenceApplied } from './preference-applied.js';
import type { QueryResult } from './query-result.js';

/** What the responses of one address differ by (postgrest.org, "Vary Header"). */
const vary = 'Accept, Prefer, Range';

/**
 * Turns what the database gave into the HTTP response.
 * @throws AppError PGRST103 when the range begins behind the last row.
 */
export function toResponse(request: ApiRequest, plan: Plan, result: QueryResult): HttpResponse {
  const headers: Record<string, string> = { vary };
  if (hasContent(plan)) {
    headers['content-type'] = plan.contentType;
    if (request.schemaWasNamed) headers['content-profile'] = headerOfSchema(request.schema);
  }
  if (plan.explain) return { status: 200, headers, body: result.body };
  const applied = preferenceApplied(request, plan);
  if (applied !== undefined) headers['preference-applied'] = applied;
  const status =
    plan.kind === 'mutate'
      ? changeStatus(request, plan, result, headers)
      : readStatus(request, plan, result, headers);
  return { status, headers, body: plan.output ? result.body : undefined };
}

/** HEAD is told the type of the content that it is not given. */
function hasContent(plan: Plan): boolean {
  if (plan.explain) return true;
  if (plan.kind === 'mutate') return plan.output !== undefined;
  return plan.kind === 'read' || plan.function.returns.kind !== 'void';
}

function readStatus(
  request: ApiRequest,
  plan: ReadPlan | CallPlan,
  { pageTotal, total }: QueryResult,
  headers: Record<string, string>,
): number {
  const { offset } = request.range;
  headers['content-range'] = contentRange(offset, pageTotal, total);
  if (plan.kind === 'read') {
    const location = contentLocation(request.target, request.query);
    if (location !== undefined) headers['content-location'] = location;
  } else if (plan.function.returns.kind === 'void') return 204;
  const status = rangeStatus(offset, pageTotal, total);
  if (status !== 416) return status;
  const { 'content-type': _, ...others } = headers;
  throw pgrstError('PGRST103', {
    message: 'Requested range not satisfiable',
    details: `An offset of ${offset} was requested, but there are only ${total} rows.`,
    headers: others,
  });
}

function changeStatus(
  { preferences }: ApiRequest,
  { change, output, table }: MutatePlan,
  { inserted, location, pageTotal, total }: QueryResult,
  headers: Record<string, string>,
): number {
  if (change.kind !== 'upsert') {
    headers['content-range'] = contentRange(0, change.kind === 'update' ? pageTotal : 0, total);
  }
  switch (change.kind) {
    case 'insert':
      if (location) headers['location'] = locationOf(table.name, location);
      // Merged with what was there, as far as there was anything to merge.
      return preferences.resolution === 'merge-duplicates' && (inserted ?? pageTotal) <= 0 ? 200 : 201;
    case 'upsert':
      if (!output) return 204;
      return (inserted ?? 0) > 0 ? 201 : 200;
    default:
      return output ? 200 : 204;
  }
}
