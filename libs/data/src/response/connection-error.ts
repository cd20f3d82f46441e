import { isConnectionError } from '#libs/platform';
import { isDatabaseError, type DatabaseError } from './database-error.js';
import type { HttpResponse } from './http-response.js';
import { jsonError } from './json-error.js';

/**
 * The answer when PostgreSQL was not to be had (postgrest.org, "Errors", group 0). What the network said is left out: it
 * names addresses.
 * @returns undefined for other errors
 */
export function connectionErrorResponse(error: unknown): HttpResponse | undefined {
  if (isDatabaseError(error)) return isRefusedConnection(error) ? notConnected(error.message) : undefined;
  if (!isConnectionError(error)) return undefined;
  return wasConnected(error as NodeJS.ErrnoException)
    ? unavailable('PGRST001', 'Database client error. Retrying the connection.')
    : notConnected();
}

/**
 * PostgreSQL is starting, full, or has no such database. The one fatal error that comes in the middle is that of an
 * operator who ends the connection.
 */
function isRefusedConnection({ severity, code }: DatabaseError): boolean {
  return severity === 'FATAL' && code !== '57P01';
}

function wasConnected({ syscall, message }: NodeJS.ErrnoException): boolean {
  return syscall === 'read' || syscall === 'write' || message === 'Connection terminated unexpectedly';
}

function notConnected(details?: string): HttpResponse {
  return unavailable('PGRST000', 'Database connection error.', details);
}

function unavailable(code: string, message: string, details?: string): HttpResponse {
  return jsonError(503, { code, message, details }, { 'retry-after': '1' });
}
