import { limitError, pgrstError } from '../errors.js';
import { limits } from '../limits.js';
import type { Action } from './api-request.js';
import { parseCsv } from './csv.js';
import type { HttpRequest } from './http-request.js';
import { jsonShape } from './json-shape.js';
import { jsonMediaType, mediaTypeName, parseMediaType } from './media-type.js';

/** A request body, kept as its text where it is JSON: PostgreSQL parses it. */
export type Payload = RowsPayload | FormPayload | RawPayload;

/** An object or a list of objects, in JSON. */
export interface RowsPayload {
  readonly kind: 'json-object' | 'json-array';
  readonly text: string;
  /** Members to be taken, sorted: those of the objects, or those that `columns=` names. */
  readonly keys: readonly string[];
  /** What the objects call their members, by key, where those are not their names. */
  readonly members?: ReadonlyMap<string, string>;
  /** The body came as JSON, so it may also be the only argument of a function. */
  readonly isJson: boolean;
}

/** Arguments of a function, as by GET. */
interface FormPayload {
  readonly kind: 'form';
  readonly arguments: readonly (readonly [name: string, value: string])[];
}

/** The only argument of a function. */
export interface RawPayload {
  readonly kind: 'text' | 'xml' | 'bytea';
  readonly value: string | Buffer;
}

export function isRaw(payload: RowsPayload | RawPayload): payload is RawPayload {
  return payload.kind === 'text' || payload.kind === 'xml' || payload.kind === 'bytea';
}

/** What the objects of a body call the member `key`. */
export function memberOf({ members }: RowsPayload, key: string): string {
  return members?.get(key) ?? key;
}

/** PostgreSQL's types of raw bodies, by their media types. */
const rawTypes = new Map<string, RawPayload['kind']>([
  ['text/plain', 'text'],
  ['text/xml', 'xml'],
  ['application/octet-stream', 'bytea'],
]);

/**
 * Takes the body of a writing request.
 * @param columns  what `columns=` names
 * @throws AppError PGRST102 for bodies that are malformed, have objects with unlike keys, or another media type.
 */
export function parsePayload(
  action: Action,
  { body, headers }: Pick<HttpRequest, 'body' | 'headers'>,
  columns: readonly string[] | undefined,
): Payload | undefined {
  if (action === 'read' || action === 'delete' || action === 'callRead') return undefined;
  const isCall = action === 'call';
  const type = bodyType(headers['content-type']);
  const rawType = isCall ? rawTypes.get(type) : undefined;
  if (rawType) return { kind: rawType, value: body ?? '' };
  switch (type) {
    case 'application/json': {
      const text = textOf(body, 'Empty or invalid json');
      // A function without arguments may be called without a body.
      return parseJson(
        isCall && text === '' ? '{}' : text,
        action === 'upsert' ? undefined : columns,
        isCall,
      );
    }
    case 'text/csv': {
      const { members, json } = parseCsv(textOf(body, notUtf8));
      return { kind: 'json-array', text: json, keys: [...members.keys()].toSorted(), members, isJson: false };
    }
    case 'application/x-www-form-urlencoded': {
      const text = textOf(body, notUtf8);
      return isCall ? { kind: 'form', arguments: parseForm(text) } : formRow(text);
    }
    default:
      throw bodyError(`Content-Type not acceptable: ${type}`);
  }
}

const notUtf8 = 'The request body is not UTF-8';

/** @param problem  what is answered to bytes that are no text; those of raw types PostgreSQL refuses itself */
function textOf(body: HttpRequest['body'], problem: string): string {
  if (Buffer.isBuffer(body)) throw bodyError(problem);
  return body ?? '';
}

function bodyType(header: string | undefined): string {
  return mediaTypeName(header === undefined ? jsonMediaType : parseMediaType(header));
}

function parseJson(text: string, columns: readonly string[] | undefined, isCall: boolean): RowsPayload {
  // With `columns=` the body goes to PostgreSQL unread; it refuses what is not JSON.
  if (columns) {
    const kind = /^[ \t\r\n]*\{/.test(text) ? 'json-object' : 'json-array';
    return { kind, text, keys: columns.toSorted(), isJson: true };
  }
  const { kind, keys, isUneven } = jsonShape(text, limits.columns);
  // A bare value is no row.
  if (kind === 'value') return { kind: 'json-array', text: '[]', keys: [], isJson: true };
  // No function has so many parameters, but one may take the whole object.
  const mayHaveMore = isCall && kind === 'object';
  if (keys.length > limits.columns && !mayHaveMore) throw limitError('keys in its objects', limits.columns);
  if (isUneven) throw bodyError('All object keys must match');
  return {
    kind: kind === 'object' ? 'json-object' : 'json-array',
    text,
    keys: keys.toSorted(),
    isJson: true,
  };
}

/** Of a repeated name the last value counts. */
function formRow(text: string): RowsPayload {
  const row = Object.fromEntries(parseForm(text));
  return { kind: 'json-object', text: JSON.stringify(row), keys: Object.keys(row).toSorted(), isJson: false };
}

function parseForm(text: string): [name: string, value: string][] {
  // Counted before they are made.
  let count = 1;
  for (let end = text.indexOf('&'); end !== -1; end = text.indexOf('&', end + 1)) {
    count += 1;
    if (count > limits.columns) throw limitError('fields', limits.columns);
  }
  return [...new URLSearchParams(text)];
}

function bodyError(message: string) {
  return pgrstError('PGRST102', { message });
}
