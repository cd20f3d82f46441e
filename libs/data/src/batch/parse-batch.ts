import { parseInput, textNestsDeeper } from '#libs/platform';
import { z } from 'zod';
import { limitError, pgrstError } from '../errors.js';
import { limits } from '../limits.js';
import type { HttpRequest } from '../request/http-request.js';
import { mediaTypeName, parseMediaType } from '../request/media-type.js';
import { parseQueryString } from '../request/query-string.js';
import { BatchRequestError } from './batch-request-error.js';
import { checkBodyReferences } from './body-references.js';
import { memberOf, parseJson, type Json } from './json-text.js';
import { parsePathTemplate, type PathTemplate } from './path-references.js';
import type { EarlierRequests } from './reference.js';

/** One request of a batch, its references not yet followed. */
export interface BatchRequest {
  readonly id: string | undefined;
  readonly method: string;
  readonly template: PathTemplate;
  /** By lower-case name: what it says of itself, beside what the batch says of who asks. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Json | undefined;
  readonly earlier: EarlierRequests;
}

/** What a request says of itself. All else, who asks above all, the batch says once for all. */
const ownHeaders: ReadonlySet<string> = new Set([
  'accept',
  'accept-profile',
  'content-profile',
  'content-type',
  'prefer',
  'range',
  'range-unit',
]);

const batchSchema = z.strictObject({ requests: z.array(z.unknown()).min(1) });

/** Never a number, so that an index is no id. */
const idPattern = /^[A-Za-z_][\w-]{0,63}$/;

const requestSchema = z.strictObject({
  id: z.string().regex(idPattern).optional(),
  method: z.enum(['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE']).default('GET'),
  // Of a table or a function: what the root tells is no part of a transaction.
  path: z.string().regex(/^\/[^?]/),
  headers: z.record(z.string(), z.string()).default({}),
  body: z.unknown().optional(),
});

type RequestInput = z.output<typeof requestSchema>;

/**
 * Takes the body of a batch apart, before anything of it runs.
 * @throws AppError PGRST102 for what is no batch, PGRST100 beyond a limit
 * @throws BatchRequestError around such an error where one request is wrong
 */
export function parseBatch({ body, headers, query }: HttpRequest): BatchRequest[] {
  refuseParameters(query);
  const type = mediaTypeName(parseMediaType(headers['content-type'] ?? 'application/json'));
  if (type !== 'application/json') {
    throw pgrstError('PGRST102', { message: `Content-Type not acceptable: ${type}` });
  }
  // Bytes are none of JSON's, which is UTF-8.
  if (Buffer.isBuffer(body)) throw pgrstError('PGRST102', { message: 'Empty or invalid json' });
  const text = body ?? '';
  if (Buffer.byteLength(text) > limits.batchBodyBytes) {
    throw limitError('bytes in the body of a batch', limits.batchBodyBytes);
  }
  if (textNestsDeeper(text, limits.batchNesting)) {
    throw limitError('lists and objects in each other', limits.batchNesting);
  }
  const { requests } = parseInput(batchSchema, parseInputJson(text), 'PGRST102');
  if (requests.length > limits.batchRequests) throw limitError('requests in a batch', limits.batchRequests);
  const requestsWithDigits = memberOf(parseJson(text), 'requests')!;
  const earlier = new Map<string, number>();
  return requests.map((input, index) => {
    const id = idOf(input);
    try {
      const request = parseInput(requestSchema, input, 'PGRST102');
      const bodyWithDigits = memberOf(memberOf(requestsWithDigits, String(index))!, 'body');
      return batchRequest(request, bodyWithDigits, new Map(earlier));
    } catch (error) {
      throw new BatchRequestError({ index, id }, error);
    } finally {
      earlier.set(String(index), index);
      if (id !== undefined) earlier.set(id, index);
    }
  });
}

/** Also of a request that is wrong otherwise. */
function idOf(input: unknown): string | undefined {
  const id = (input as { id?: unknown } | null)?.id;
  return typeof id === 'string' && idPattern.test(id) ? id : undefined;
}

/** @throws AppError PGRST100 for any but the gateway's, which browsers may send their key by */
function refuseParameters(query: string): void {
  const other = parseQueryString(query).find(([name]) => name !== 'apikey');
  if (other === undefined) return;
  throw pgrstError('PGRST100', {
    message: `A batch has no parameter "${other[0]}"`,
    hint: 'Parameters stand in the paths of its requests.',
  });
}

function parseInputJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw pgrstError('PGRST102', { message: 'Empty or invalid json', cause });
  }
}

function batchRequest(
  { id, method, path, headers }: RequestInput,
  body: Json | undefined,
  earlier: EarlierRequests,
): BatchRequest {
  if (id !== undefined && earlier.has(id)) {
    throw pgrstError('PGRST102', { message: `Two requests of the batch have the id "${id}"` });
  }
  // No front door has measured them.
  if (path.length > limits.batchPathLength) throw limitError('characters in a path', limits.batchPathLength);
  if (body !== undefined) checkBodyReferences(body, earlier);
  const template = parsePathTemplate(path, earlier);
  return { id, method, template, headers: checkedHeaders(headers), body, earlier };
}

/** @throws AppError PGRST102, PGRST100 beyond a limit */
function checkedHeaders(given: Readonly<Record<string, string>>): Record<string, string> {
  if (Object.entries(given).flat().join('').length > limits.batchHeadersLength) {
    throw limitError('characters in headers', limits.batchHeadersLength);
  }
  const headers = Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const other = Object.keys(headers).find((name) => !ownHeaders.has(name));
  if (other !== undefined) {
    throw pgrstError('PGRST102', {
      message: `A request of a batch has no header "${other}" of its own`,
      details: `Its own are: ${[...ownHeaders].join(', ')}.`,
      hint: 'Say it in the headers of the batch, which all of its requests have.',
    });
  }
  if (/(?:^|,)\s*tx=/.test(headers['prefer'] ?? '')) {
    throw pgrstError('PGRST102', {
      message: 'A batch is one transaction: its requests cannot say how it ends',
      hint: 'Prefer tx= in the headers of the batch.',
    });
  }
  return headers;
}

/** The headers of the batch that each of its requests has, too: all that do not say what is asked for. */
export function sharedHeaders(headers: HttpRequest['headers']): HttpRequest['headers'] {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !ownHeaders.has(name) && name !== 'content-length'),
  );
}
