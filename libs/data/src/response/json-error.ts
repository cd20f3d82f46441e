import type { HttpResponse } from './http-response.js';

export interface ErrorBody {
  readonly code: string;
  readonly message: string;
  readonly details?: string | readonly object[] | null | undefined;
  readonly hint?: string | null | undefined;
}

/** An error in PostgREST's shape. */
export function jsonError(
  status: number,
  { code, message, details, hint }: ErrorBody,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  return {
    status,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      // Functions raise errors with whatever code; a header holds no more than this.
      ...(/^[\x20-\x7e]*$/.test(code) && { 'proxy-status': `PostgREST; error=${code}` }),
      ...headers,
    },
    body: JSON.stringify({ code, message, details: details ?? null, hint: hint ?? null }),
  };
}

/** The same error without what its details and its hint may tell of the database. */
export function minimalError(response: HttpResponse): HttpResponse {
  const { details: _details, hint: _hint, ...rest } = JSON.parse(String(response.body)) as ErrorBody;
  return { ...response, body: JSON.stringify(rest) };
}
