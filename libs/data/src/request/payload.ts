import { limitError, pgrstError } from '../errors.js';
import { limits } from '../limits.js';
import type { Action } from './api-request.js';
import { parseCsv } from './csv.js';
import type { HttpRequest } from './http-request.js';
import { jsonMediaType, mediaTypeName, parseMediaType } from './media-type.js';

/** A request body, kept as its text where it is JSON: PostgreSQL parses it. */
export type Payload = RowsPayload | FormPayload | RawPayload;

/** An object or a list of objects, in JSON. */
export interface RowsPayload {
  readonly kind: 'json-object' | 'json-array';
  readonly text: string;
  /** Members to be taken, sorted: those of the objects, or those that `columns=` names. */
  readonly keys: readonly string[];
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
  const text = body?.toString() ?? '';
  switch (type) {
    case 'application/json':
      // A function without arguments may be called without a body.
      return parseJson(isCall && text === '' ? '{}' : text, action === 'upsert' ? undefined : columns);
    case 'text/csv':
      return csvPayload(text);
    case 'application/x-www-form-urlencoded':
      return isCall ? { kind: 'form', arguments: parseForm(text) } : formRow(text);
    default:
      throw bodyError(`Content-Type not acceptable: ${type}`);
  }
}

function bodyType(header: string | undefined): string {
  return mediaTypeName(header === undefined ? jsonMediaType : parseMediaType(header));
}

function parseJson(text: string, columns: readonly string[] | undefined): RowsPayload {
  // With `columns=` the body goes to PostgreSQL unread; it refuses what is not JSON.
  if (columns) {
    const kind = /^[ \t\r\n]*\{/.test(text) ? 'json-object' : 'json-array';
    return { kind, text, keys: columns.toSorted(), isJson: true };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw pgrstError('PGRST102', { message: 'Empty or invalid json', cause });
  }
  if (isObject(value)) {
    return { kind: 'json-object', text, keys: Object.keys(value).toSorted(), isJson: true };
  }
  // A bare value is no row.
  if (!Array.isArray(value)) return { kind: 'json-array', text: '[]', keys: [], isJson: true };
  return { kind: 'json-array', text, keys: commonKeys(value).toSorted(), isJson: true };
}

function commonKeys(rows: readonly unknown[]): string[] {
  if (rows.length === 0) return [];
  const [first] = rows;
  if (!isObject(first)) throw unlikeKeys();
  const keys = Object.keys(first);
  for (const row of rows) {
    const same =
      isObject(row) &&
      Object.keys(row).length === keys.length &&
      keys.every((key) => Object.hasOwn(row, key));
    if (!same) throw unlikeKeys();
  }
  return keys;
}

/** The word NULL stands for null. As in PostgREST, fields beyond those of the header are passed over. */
function csvPayload(text: string): RowsPayload {
  const { header, lines } = parseCsv(text);
  if (header.length > limits.columns) throw limitError('fields in its lines', limits.columns);
  const width = Math.min(lines[0]?.length ?? 0, header.length);
  // Of a repeated name the last field counts.
  const fields = [...new Map(header.slice(0, width).map((name, i) => [name, i]))];
  const rows = lines.map((line) => {
    if (Math.min(line.length, header.length) !== width) {
      throw bodyError('All lines must have same number of fields');
    }
    return Object.fromEntries(fields.map(([name, i]) => [name, line[i] === 'NULL' ? null : line[i]]));
  });
  const keys = fields.map(([name]) => name).toSorted();
  return { kind: 'json-array', text: JSON.stringify(rows), keys, isJson: false };
}

/** Of a repeated name the last value counts. */
function formRow(text: string): RowsPayload {
  const row = Object.fromEntries(parseForm(text));
  return { kind: 'json-object', text: JSON.stringify(row), keys: Object.keys(row).toSorted(), isJson: false };
}

function parseForm(text: string): [name: string, value: string][] {
  const fields = [...new URLSearchParams(text)];
  if (fields.length > limits.columns) throw limitError('fields', limits.columns);
  return fields;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unlikeKeys() {
  return bodyError('All object keys must match');
}

function bodyError(message: string) {
  return pgrstError('PGRST102', { message });
}
