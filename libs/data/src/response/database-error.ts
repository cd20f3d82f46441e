import { functionClaims, type Caller } from '#libs/platform';
import { isFramingHeader } from './framing-headers.js';
import type { HttpResponse } from './http-response.js';
import { jsonError, type ErrorBody } from './json-error.js';

/** What pg throws when PostgreSQL refuses a statement. */
export interface DatabaseError extends Error {
  /** SQLSTATE (manual, appendix A). */
  readonly code: string;
  readonly severity: string;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
  /** The functions that it came through, the innermost first, or the place in a JSON text. */
  readonly where?: string | undefined;
}

export function isDatabaseError(error: unknown): error is DatabaseError {
  return (
    error instanceof Error && 'severity' in error && typeof (error as { code?: unknown }).code === 'string'
  );
}

export function databaseErrorResponse(error: DatabaseError, caller: Caller | undefined): HttpResponse {
  if (error.code === 'PGRST') return raisedResponse(error);
  // A role other than that of everybody came with a token.
  const isSignedIn = caller !== undefined && caller.kind !== 'keyless' && caller.role !== 'anon';
  const status = statusOf(error, isSignedIn);
  const { code, message, detail: details, hint = permissionHint(error, caller) } = error;
  const headers: Record<string, string> = status === 401 ? { 'www-authenticate': 'Bearer' } : {};
  const response = jsonError(status, { code, message, details, hint }, headers);
  return code.startsWith('PT') ? { ...response, statusText: statusTextOf(message) } : response;
}

/** A function may do what it declares: the grants that PostgreSQL would hint at are not its author's to give. */
function permissionHint({ code }: DatabaseError, caller: Caller | undefined): string | undefined {
  const slug = code === '42501' && caller && functionClaims(caller)?.function;
  return slug
    ? `Declare it in galley.toml, under [functions.${slug}.permissions]: tables = { "schema.name" = ["select"] }, or rpc = ["schema.name"].`
    : undefined;
}

/** HTTP statuses by SQLSTATE or its class (postgrest.org, "Errors from PostgreSQL"). */
const statusBySqlstate = new Map<string, number>([
  ['08', 503],
  ['09', 500],
  ['0L', 403],
  ['0P', 403],
  ['21000', 500],
  ['23503', 409],
  ['23505', 409],
  ['25', 500],
  ['25006', 405],
  ['28', 403],
  ['2D', 500],
  ['38', 500],
  ['39', 500],
  ['3B', 500],
  ['40', 500],
  ['42883', 404],
  ['42P01', 404],
  ['42P17', 500],
  ['53', 503],
  ['53400', 500],
  ['54', 500],
  ['55', 500],
  ['57', 500],
  ['57P01', 503],
  ['58', 500],
  ['F0', 500],
  ['HV', 500],
  ['P0', 500],
  ['P0001', 400],
  ['XX', 500],
]);

function statusOf({ code, message, where }: DatabaseError, isSignedIn: boolean): number {
  if (code === '42501') return isSignedIn ? 403 : 401;
  // The role of a token that PostgreSQL does not know.
  if (code === '22023' && /^role .* does not exist$/.test(message)) return 401;
  if (code === '21000' && message.endsWith('requires a WHERE clause')) return 400;
  // Too complex was no function of the database, but a value that came with the request: nested without end, say.
  if (isTooComplex(code, message) && !where?.includes(' function ')) return 400;
  // The aggregate that XML is answered with has no overload for the rows.
  if (code === '42883' && message.startsWith('function xmlagg(')) return 406;
  // RAISE SQLSTATE 'PT402' chooses the status (postgrest.org, "RAISE errors with HTTP Status Codes").
  if (code.startsWith('PT')) return httpStatus(Number(code.slice(2))) ?? 500;
  return statusBySqlstate.get(code) ?? statusBySqlstate.get(code.slice(0, 2)) ?? 400;
}

function isTooComplex(code: string, message: string): boolean {
  return code.startsWith('54') || message === 'tsquery stack too small';
}

function httpStatus(status: unknown): number | undefined {
  return Number.isInteger(status) && (status as number) >= 200 && (status as number) <= 599
    ? (status as number)
    : undefined;
}

/** RAISE SQLSTATE 'PGRST' writes the whole response: its body as the message, status and headers as the detail. */
function raisedResponse(error: DatabaseError): HttpResponse {
  const body = parseObject(error.message);
  if (typeof body?.['code'] !== 'string' || typeof body['message'] !== 'string') {
    return malformedRaise(
      `Invalid JSON value for MESSAGE: '${error.message}'`,
      "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'.",
    );
  }
  const shape = parseObject(error.detail ?? '');
  const status = httpStatus(shape?.['status']);
  const headers = shape?.['headers'];
  if (status === undefined || typeof headers !== 'object' || headers === null || !areHeaders(headers)) {
    return malformedRaise(
      error.detail === undefined
        ? 'DETAIL is missing in the RAISE statement'
        : `Invalid JSON value for DETAIL: '${error.detail}'`,
      "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'.",
    );
  }
  const lowerCase = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  return {
    ...jsonError(status, body as unknown as ErrorBody, Object.fromEntries(lowerCase)),
    statusText: statusTextOf(shape?.['status_text']),
  };
}

/** RFC 9112 §4; what does not fit there is left out. */
function statusTextOf(text: unknown): string | undefined {
  return typeof text === 'string' && /^[\t\x20-\x7e]+$/.test(text) ? text : undefined;
}

function areHeaders(headers: object): boolean {
  return Object.entries(headers).every(
    ([name, value]) =>
      /^[\w!#$%&'*+.^`|~-]+$/.test(name) &&
      !isFramingHeader(name) &&
      typeof value === 'string' &&
      /^[\t\x20-\x7e]*$/.test(value),
  );
}

function malformedRaise(details: string, hint: string): HttpResponse {
  const message = `Could not parse JSON in the "RAISE SQLSTATE 'PGRST'" error`;
  return jsonError(500, { code: 'PGRST121', message, details, hint });
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
