import { validateHeaderName, validateHeaderValue } from 'node:http';
import { pgrstError } from '../errors.js';
import { isFramingHeader } from './framing-headers.js';
import type { HttpResponse } from './http-response.js';
import type { QueryResult } from './query-result.js';

/**
 * The response with the headers and the status that the transaction has set instead of ours (postgrest.org, "Response
 * Headers"). What it did stays done when they are wrong.
 * @throws AppError PGRST111, PGRST112
 */
export function withResponseSettings(response: HttpResponse, result: QueryResult): HttpResponse {
  const { responseHeaders, responseStatus } = result;
  if (responseHeaders === undefined && responseStatus === undefined) return response;
  return {
    ...response,
    status: responseStatus === undefined ? response.status : parseStatus(responseStatus),
    headers: { ...response.headers, ...(responseHeaders !== undefined && parseHeaders(responseHeaders)) },
  };
}

function parseStatus(text: string): number {
  const status = Number.parseInt(text, 10);
  if (status >= 200 && status <= 599) return status;
  throw pgrstError('PGRST112', { message: 'response.status guc must be a valid status code' });
}

/** An array of objects with one member each, since a header may be repeated. */
function parseHeaders(text: string): Record<string, string | string[]> {
  const headers: Record<string, string[]> = {};
  try {
    for (const entry of JSON.parse(text) as object[]) {
      const [[name, value], ...others] = Object.entries(entry) as [[string, string], ...unknown[]];
      if (others.length > 0 || typeof value !== 'string') throw new TypeError('not one member with a text');
      if (isFramingHeader(name)) throw new TypeError(`${name} is not a function's to say`);
      validateHeaderName(name);
      validateHeaderValue(name, value);
      (headers[name.toLowerCase()] ??= []).push(value);
    }
  } catch (cause) {
    throw pgrstError('PGRST111', {
      message:
        'response.headers guc must be a JSON array composed of objects with a single key and a string value',
      cause,
    });
  }
  // Fastify knows no list of content types.
  return Object.fromEntries(
    Object.entries(headers).map(([name, all]) => [name, all.length > 1 ? all : all[0]!]),
  );
}
