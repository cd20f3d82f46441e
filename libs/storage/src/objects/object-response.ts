import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import { parseRange, type ByteRange } from '../byte-range.js';
import { rangeNotSatisfiable } from '../errors.js';
import { essence } from '../mime-types.js';

/** What is told of a stored object or a rendered picture in the headers of its answer. */
export interface Representation {
  readonly mimeType: string;
  readonly sizeBytes: number;
  /** With its quotes, and `W/` where it is weak. */
  readonly eTag: string | undefined;
  readonly lastModified: Date;
  readonly cacheControl: string;
  /** When a signed URL ends; its answer must not be kept longer. */
  readonly expires?: Date | undefined;
}

/** `If-None-Match` compares weakly and takes precedence over `If-Modified-Since` (RFC 9110 §13.1.2, §13.1.3). */
export function isFresh({ headers }: FastifyRequest, { eTag, lastModified }: Representation): boolean {
  const given = headers['if-none-match'];
  if (given !== undefined) {
    const opaque = (tag: string) => tag.trim().replace(/^W\//, '');
    const tags = given.split(',').map(opaque);
    return tags.includes('*') || (eTag !== undefined && tags.includes(opaque(eTag)));
  }
  const since = headers['if-modified-since'];
  return since !== undefined && wholeSeconds(lastModified) <= Date.parse(since);
}

/** `If-Range`: a part is of use only to who holds the rest of the same bytes; a weak tag never says so (RFC 9110 §13.1.5). */
function isSameAsBefore({ headers }: FastifyRequest, { eTag, lastModified }: Representation): boolean {
  const given = headers['if-range'];
  if (typeof given !== 'string') return true;
  return given.startsWith('"') ? given === eTag : wholeSeconds(lastModified) === Date.parse(given);
}

function wholeSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000) * 1000;
}

/**
 * Answers a conditional and maybe partial request (RFC 9110 §13 and §14). `open` is called only when bytes are to
 * be sent, with the part that was asked for.
 *
 * @throws AppError `InvalidRange` (416)
 */
export async function sendRepresentation(
  request: FastifyRequest,
  reply: FastifyReply,
  representation: Representation,
  open: (range: ByteRange | undefined) => Promise<Readable | Buffer>,
): Promise<void> {
  if (isFresh(request, representation)) return sendNotModified(reply, representation);
  const { mimeType, sizeBytes } = representation;
  const range = rangeOf(request, representation);
  const body = request.method === 'HEAD' ? undefined : await open(range);
  reply
    .status(range ? 206 : 200)
    .headers({ ...validators(representation), ...contentHeaders(mimeType), ...dispositionHeader(request) })
    .header('accept-ranges', 'bytes')
    .header('content-length', range ? range.end - range.start + 1 : sizeBytes);
  if (range) reply.header('content-range', `bytes ${range.start}-${range.end}/${sizeBytes}`);
  await reply.send(body);
}

/** The client holds this representation already (RFC 9110 §15.4.5). */
export async function sendNotModified(reply: FastifyReply, representation: Representation): Promise<void> {
  await reply.status(304).headers(validators(representation)).send();
}

function rangeOf(request: FastifyRequest, representation: Representation): ByteRange | undefined {
  if (!isSameAsBefore(request, representation)) return undefined;
  const range = parseRange(request.headers.range, representation.sizeBytes);
  if (range === 'unsatisfiable') throw rangeNotSatisfiable(representation.sizeBytes);
  return range;
}

/** What a cache needs to keep an answer and to ask again. */
function validators(representation: Representation): Record<string, string> {
  const { eTag, lastModified } = representation;
  return {
    'last-modified': lastModified.toUTCString(),
    ...(eTag !== undefined && { etag: eTag }),
    ...cacheHeaders(representation),
  };
}

function cacheHeaders({ cacheControl, expires }: Representation): Record<string, string> {
  return expires ? { expires: expires.toUTCString() } : { 'cache-control': cacheControl };
}

/** What browsers show or save but never run scripts of. XML of any kind they do, as soon as it holds XHTML. */
const inert =
  /^(?:(?:image|audio|video|font)\/(?!.*\+xml$).*|text\/(?:plain|css|csv|javascript|markdown)|application\/(?:gzip|json|octet-stream|pdf|zip))$/;

/** A page, and a sequence of documents whose parts have headers of their own. */
const shownAsText = /^(?:text\/html|multipart\/.*)$/;

/**
 * Anyone who may upload could otherwise have a script run in the API's origin: a page is shown as text, as Supabase
 * does, what may be an active document otherwise is in a sandbox, and the type is never guessed.
 */
function contentHeaders(mimeType: string): Record<string, string> {
  const type = essence(mimeType);
  return {
    'content-type': shownAsText.test(type) ? 'text/plain' : mimeType,
    'x-content-type-options': 'nosniff',
    'x-robots-tag': 'none',
    ...(!inert.test(type) && {
      'content-security-policy': "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox",
    }),
  };
}

/** `?download` saves under the object's own name, `?download=cat.png` under another. */
function dispositionHeader(request: FastifyRequest): Record<string, string> {
  const { download } = request.query as { download?: unknown };
  if (typeof download !== 'string') return {};
  if (download === '') return { 'content-disposition': 'attachment' };
  const name = encodeURIComponent(download).replace(/['()*]/g, escaped);
  return { 'content-disposition': `attachment; filename=${name}; filename*=UTF-8''${name}` };
}

/** RFC 8187 admits fewer characters than encodeURIComponent leaves. */
function escaped(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}
