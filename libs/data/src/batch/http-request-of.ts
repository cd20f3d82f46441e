import { pgrstError } from '../errors.js';
import type { HttpRequest } from '../request/http-request.js';
import { mediaTypeName, parseMediaType } from '../request/media-type.js';
import { resolveBody } from './body-references.js';
import { textOf } from './json-text.js';
import { sharedHeaders, type BatchRequest } from './parse-batch.js';
import type { Bodies } from './reference.js';

/**
 * A request of a batch as it would have come by itself, its body with what its references point at, its path with marks.
 * @throws AppError PGRST102, PGRST100 for a body that cannot be had
 */
export function httpRequestOf(request: BatchRequest, batch: HttpRequest, bodies: Bodies): HttpRequest {
  const { method, template, headers } = request;
  const question = template.path.indexOf('?');
  return {
    method,
    path: template.path.slice(1, question === -1 ? undefined : question),
    query: question === -1 ? '' : template.path.slice(question + 1),
    headers: { ...sharedHeaders(batch.headers), ...headers },
    body: bodyOf(request, bodies),
  };
}

/** JSON by itself; of another type in a text, and bytes in base64. */
function bodyOf({ body, headers, earlier }: BatchRequest, bodies: Bodies): HttpRequest['body'] {
  if (body === undefined) return undefined;
  const json = resolveBody(body, earlier, bodies);
  const type = mediaTypeName(parseMediaType(headers['content-type'] ?? 'application/json'));
  if (type === 'application/json') return json;
  const text = textOf(body) ?? (JSON.parse(json) as unknown);
  if (typeof text !== 'string') {
    throw pgrstError('PGRST102', { message: `A body of the type ${type} must stand in a batch as a text` });
  }
  return type === 'application/octet-stream' ? Buffer.from(text, 'base64') : text;
}
