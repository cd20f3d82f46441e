import { HttpException } from '@nestjs/common';
import { AppError, type Caller } from '#libs/platform';
import { BatchRequestError } from '../batch/batch-request-error.js';
import { pathError } from '../errors.js';
import { connectionErrorResponse } from './connection-error.js';
import { databaseErrorResponse, isDatabaseError } from './database-error.js';
import type { HttpResponse } from './http-response.js';
import { jsonError } from './json-error.js';
import { tokenErrorBody } from './token-error.js';

/**
 * Renders an error as PostgREST does: `{code, message, details, hint}`.
 * @param authorization  the header of the request
 * @returns undefined for an error nobody foresaw
 */
export function errorResponse(
  error: unknown,
  caller: Caller | undefined,
  authorization?: string,
): HttpResponse | undefined {
  if (error instanceof BatchRequestError) return batchErrorResponse(error, caller, authorization);
  if (error instanceof AppError) return appErrorResponse(error, authorization);
  const unavailable = connectionErrorResponse(error);
  if (unavailable) return unavailable;
  if (isDatabaseError(error)) return databaseErrorResponse(error, caller);
  const clientStatus = clientErrorStatus(error);
  if (clientStatus === 404) return appErrorResponse(pathError());
  if (clientStatus) {
    return jsonError(clientStatus, { code: 'PGRST102', message: (error as Error).message });
  }
  return undefined;
}

/** The error of the request that failed, as it would be answered to that request alone, and which one it was. */
function batchErrorResponse(
  { cause, request }: BatchRequestError,
  caller: Caller | undefined,
  authorization?: string,
): HttpResponse | undefined {
  const response = errorResponse(cause, caller, authorization);
  if (response === undefined) return undefined;
  const error = JSON.parse(String(response.body)) as object;
  return { ...response, body: JSON.stringify({ ...error, request }) };
}

/** The answer to an error nobody foresaw; its message stays in the log. */
export function unforeseenResponse(): HttpResponse {
  return jsonError(500, { code: 'PGRSTX00', message: 'Internal server error' });
}

/** Codes of the platform's own errors in PostgREST's vocabulary. */
const platformCodes = new Map([
  ['body_too_large', 'PGRST102'],
  ['body_too_slow', 'PGRST102'],
  ['too_busy', 'PGRST003'],
  ['database_busy', 'PGRST003'],
  ['database_timeout', 'PGRST003'],
]);

function appErrorResponse(error: AppError, authorization?: string): HttpResponse {
  const { code, status, message, details, hint, headers } = error;
  // These two come from the gateway in Supabase, which knows no codes.
  if (code === 'no_api_key' || code === 'invalid_api_key') {
    const body = JSON.stringify({ message, hint: hint ?? null });
    return { status, headers: { 'content-type': 'application/json; charset=utf-8', ...headers }, body };
  }
  const tokenError = tokenErrorBody(error, authorization);
  if (tokenError) {
    // RFC 6750 §3.
    const challenge = `Bearer error="invalid_token", error_description=${JSON.stringify(tokenError.message)}`;
    return jsonError(401, tokenError, { 'www-authenticate': challenge });
  }
  return jsonError(status, { code: platformCodes.get(code) ?? code, message, details, hint }, headers);
}

/** The status of a request that NestJS or Fastify refused before it came here; undefined for other errors. */
function clientErrorStatus(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  const status =
    error instanceof HttpException ? error.getStatus() : (error as { statusCode?: unknown }).statusCode;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
}
