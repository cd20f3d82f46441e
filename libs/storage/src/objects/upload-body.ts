import { nestsDeeper } from '#libs/platform';
import type { FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { invalidRequest, mimeTypeNotAllowed, tooLarge } from '../errors.js';
import { limits } from '../limits.js';
import { isMimeType } from '../mime-types.js';
import { formBoundary, formParts, type FormPart } from '../multipart.js';

/** The content of an upload, whichever way a client sent it. */
export interface UploadBody {
  readonly mimeType: string;
  /** Size the client announced; a form announces none. */
  readonly declaredBytes: number | undefined;
  /** The file. Reading it never ends the request, so that a refusal can still be answered. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /**
   * What was said of the file, complete when `chunks` has ended: a form may say it behind the file. What is wrong
   * with it is thrown before, by {@link readUploadBody} or `chunks`.
   */
  fields(): UploadFields;
}

interface UploadFields {
  readonly cacheControl: string;
  readonly userMetadata: Record<string, unknown>;
}

/**
 * Reads an upload as storage-js sends it: a Blob, File or FormData as multipart/form-data, anything else as the
 * plain body with its headers.
 *
 * @throws AppError `InvalidRequest`, `InvalidMimeType`
 */
export async function readUploadBody(request: FastifyRequest): Promise<UploadBody> {
  // Fastify hands over no body where none was announced.
  const stream = (request.body as Readable | undefined | null) ?? Readable.from([]);
  const source = stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
  const boundary = formBoundary(request.headers['content-type']);
  const body = boundary === undefined ? readPlainBody(request, source) : await readForm(source, boundary);
  if (!isMimeType(body.mimeType)) throw mimeTypeNotAllowed(body.mimeType);
  return body;
}

function readPlainBody(request: FastifyRequest, chunks: AsyncIterable<Uint8Array>): UploadBody {
  const { headers } = request;
  const length = headers['content-length'];
  const fields = {
    cacheControl: readCacheControl(headers['cache-control']),
    userMetadata: userMetadataFromHeader(headers['x-metadata']),
  };
  return {
    mimeType: headers['content-type'] ?? 'application/octet-stream',
    declaredBytes: length === undefined ? undefined : Number(length),
    chunks,
    fields: () => fields,
  };
}

async function readForm(source: AsyncIterable<Uint8Array>, boundary: string): Promise<UploadBody> {
  const parts = formParts(source, boundary);
  const fields = new Map<string, string>();
  const file = await nextFile(parts, fields);
  if (!file) throw invalidRequest('No content provided');
  let said = parseFields(fields);
  async function* chunks(content: AsyncIterable<Uint8Array>) {
    yield* content;
    if (await nextFile(parts, fields)) throw invalidRequest('A form may hold one file only');
    // Thrown here, what is wrong behind the file fails the writing of its bytes, and nothing of them stays.
    said = parseFields(fields);
  }
  return {
    mimeType: fields.get('contentType') ?? file.contentType ?? 'application/octet-stream',
    declaredBytes: undefined,
    chunks: chunks(file.chunks),
    fields: () => said,
  };
}

function parseFields(fields: ReadonlyMap<string, string>): UploadFields {
  return {
    cacheControl: readCacheControl(fields.get('cacheControl')),
    userMetadata: parseUserMetadata(fields.get('metadata') ?? fields.get('userMetadata')),
  };
}

/** Collects fields up to the next file, which storage-js sends under an empty name. */
async function nextFile(
  parts: AsyncGenerator<FormPart>,
  fields: Map<string, string>,
): Promise<FormPart | undefined> {
  for (;;) {
    const next = await parts.next();
    if (next.done) return undefined;
    const part = next.value;
    if (part.fileName !== undefined || part.name === '') return part;
    if (fields.size >= limits.formFields) throw invalidRequest(`A form may hold ${limits.formFields} fields`);
    fields.set(part.name, await readField(part));
  }
}

async function readField(part: FormPart): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of part.chunks) {
    sizeBytes += chunk.length;
    if (sizeBytes > limits.formFieldBytes) throw tooLarge('form field', `${limits.formFieldBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** A form says seconds, a header the directive. Without either the object is to be revalidated. */
function readCacheControl(text: string | undefined): string {
  if (text === undefined || text.trim() === '') return 'no-cache';
  if (/^\d{1,10}$/.test(text)) return `max-age=${text}`;
  if (text.length <= limits.cacheControlCharacters && /^[\x20-\x7e]+$/.test(text)) return text;
  throw invalidRequest('cacheControl is not a number of seconds or a Cache-Control value');
}

/** `x-metadata`: base64 of a JSON object. */
export function userMetadataFromHeader(header: string | string[] | undefined): Record<string, unknown> {
  return parseUserMetadata(
    typeof header === 'string' ? Buffer.from(header, 'base64').toString('utf8') : undefined,
  );
}

function parseUserMetadata(text: string | undefined): Record<string, unknown> {
  if (text === undefined || text === '') return {};
  if (Buffer.byteLength(text) > limits.userMetadataBytes) throw tooLarge('user_metadata');
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidRequest('metadata is not a JSON object');
  }
  if (nestsDeeper(value, limits.userMetadataNesting)) {
    throw invalidRequest(`metadata may nest ${limits.userMetadataNesting} levels deep`);
  }
  return value as Record<string, unknown>;
}

/** @returns undefined for what is not JSON */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
