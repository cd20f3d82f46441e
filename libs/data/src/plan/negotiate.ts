import { pgrstError } from '../errors.js';
import type { ApiRequest } from '../request/api-request.js';
import { contentType, mediaTypeName, type MediaType, type PlanMediaType } from '../request/media-type.js';
import {
  nameKey,
  type MediaHandler,
  type MediaHandlers,
  type QualifiedName,
} from '../schema-cache/schema-cache.js';
import type { BodyFormat } from './plan.js';
import type { Grounds } from './plan-rows.js';

/** What a response looks like. */
export interface Representation {
  readonly output: BodyFormat;
  /** Value of `Content-Type`. */
  readonly contentType: string;
  /** Asked for is how PostgreSQL would carry the statement out. */
  readonly explain: PlanMediaType | undefined;
}

/** What is to be represented. */
export interface Content {
  /** The table whose rows it is, or the function whose result. */
  readonly of: QualifiedName;
  /** A function gives a value, not rows. */
  readonly isValue: boolean;
}

/**
 * Chooses the first of the accepted media types that can be written (RFC 9110 §12).
 * @throws AppError PGRST107 when there is none
 */
export function negotiate(request: ApiRequest, grounds: Grounds, content: Content): Representation {
  const custom = customHandlers(request, grounds.schema.mediaHandlers, content);
  for (const accepted of request.accepted) {
    const found = represent(accepted, custom, grounds.settings.planEnabled);
    if (found) return found;
  }
  const names = request.accepted.map(mediaTypeName).join(', ');
  throw pgrstError('PGRST107', { message: `None of these media types are available: ${names}` });
}

/** Whether the response is one row, and any other number of them an error. */
export function wantsObject({ output, explain }: Representation): boolean {
  return output.kind === 'json' && output.isObject && !explain;
}

type FindHandler = (mediaType: string) => MediaHandler | undefined;

/** Handlers of one table take its rows as they are, so they cannot do with a `select` of some columns. */
function customHandlers(request: ApiRequest, handlers: MediaHandlers, { of, isValue }: Content): FindHandler {
  const key = nameKey(of.schema, of.name);
  const [first, ...others] = request.select;
  const isWhole = first?.kind === 'star' && others.length === 0;
  const own = isWhole ? (isValue ? handlers.ofFunctions : handlers.ofTables).get(key) : undefined;
  return (mediaType) => own?.get('*/*') ?? own?.get(mediaType) ?? handlers.ofAnything.get(mediaType);
}

function represent(
  accepted: MediaType,
  findHandler: FindHandler,
  planEnabled: boolean,
): Representation | undefined {
  switch (accepted.kind) {
    case 'named': {
      const handler = findHandler(accepted.name);
      if (handler) {
        return { output: { kind: 'custom', handler }, contentType: handler.contentType, explain: undefined };
      }
      return builtIns.get(accepted.name);
    }
    case 'stripped-array':
      return representation({ kind: 'json', isObject: false, stripNulls: true }, accepted);
    case 'object':
      return representation({ kind: 'json', isObject: true, stripNulls: accepted.stripNulls }, accepted);
    case 'plan': {
      const of = planEnabled && accepted.of.kind !== 'plan' && represent(accepted.of, findHandler, false);
      return of ? { ...of, contentType: contentType(accepted), explain: accepted } : undefined;
    }
  }
}

function representation(output: BodyFormat, type: MediaType): Representation {
  return { output, contentType: contentType(type), explain: undefined };
}

const json = representation(
  { kind: 'json', isObject: false, stripNulls: false },
  { kind: 'named', name: 'application/json' },
);
const builtIns = new Map<string, Representation>([
  ['*/*', json],
  ['application/json', json],
  ['text/csv', representation({ kind: 'csv' }, { kind: 'named', name: 'text/csv' })],
  [
    'application/geo+json',
    representation({ kind: 'geojson' }, { kind: 'named', name: 'application/geo+json' }),
  ],
]);
