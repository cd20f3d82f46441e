import { pgrstError } from '../errors.js';
import type { Action } from './api-request.js';
import { bodyType } from './media-type.js';

/** A request body, kept as its text: PostgreSQL parses it. */
export interface Payload {
  /** `json` of an object or an array; or the text of a function's only argument, by its media type. */
  readonly kind: 'json-object' | 'json-array' | 'json-value' | 'text' | 'xml';
  readonly text: string;
  /** Keys of the objects when the body was looked into, which `columns=` makes unnecessary. */
  readonly keys: readonly string[] | undefined;
}

/**
 * Takes the body of a writing request.
 * @throws AppError PGRST102 for bodies that are not JSON, have objects with unlike keys, or another media type.
 */
export function parsePayload(
  action: Action,
  body: string | undefined,
  contentType: string | undefined,
  columnsGiven: boolean,
): Payload | undefined {
  if (action === 'read' || action === 'delete' || action === 'callRead') return undefined;
  const type = bodyType(contentType);
  if (action === 'call' && type === 'text/plain') return { kind: 'text', text: body ?? '', keys: undefined };
  if (action === 'call' && type === 'text/xml') return { kind: 'xml', text: body ?? '', keys: undefined };
  if (type !== 'application/json') throw bodyError(`Content-Type not acceptable: ${type}`);
  // A function without arguments may be called without a body.
  if (action === 'call' && (body ?? '').trim() === '') return { kind: 'json-object', text: '{}', keys: [] };
  return parseJson(body ?? '', columnsGiven);
}

function parseJson(text: string, columnsGiven: boolean): Payload {
  const start = /[^\s]/.exec(text)?.[0];
  // With `columns=` the body goes to PostgreSQL unread; it refuses what is not JSON.
  if (columnsGiven && start === '{') return { kind: 'json-object', text, keys: undefined };
  if (columnsGiven && start === '[') return { kind: 'json-array', text, keys: undefined };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw pgrstError('PGRST102', { message: 'Empty or invalid json', cause });
  }
  if (Array.isArray(value)) return { kind: 'json-array', text, keys: commonKeys(value) };
  if (isObject(value)) return { kind: 'json-object', text, keys: Object.keys(value) };
  return { kind: 'json-value', text, keys: [] };
}

function commonKeys(rows: readonly unknown[]): string[] | undefined {
  if (rows.length === 0) return [];
  const [first] = rows;
  // A list of plain values can still be the only argument of a function.
  if (!isObject(first)) return undefined;
  const keys = Object.keys(first);
  for (const row of rows) {
    const same =
      isObject(row) &&
      Object.keys(row).length === keys.length &&
      keys.every((key) => Object.hasOwn(row, key));
    if (!same) throw bodyError('All object keys must match');
  }
  return keys;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function bodyError(message: string) {
  return pgrstError('PGRST102', { message });
}
