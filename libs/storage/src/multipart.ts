import { invalidRequest, tooLarge } from './errors.js';
import { limits } from './limits.js';

/** One part of a multipart/form-data body. Its `chunks` must be read to the end before the next part is asked for. */
export interface FormPart {
  readonly name: string;
  /** Undefined for a plain field. */
  readonly fileName: string | undefined;
  readonly contentType: string | undefined;
  readonly chunks: AsyncIterable<Buffer>;
}

/**
 * The boundary of a multipart/form-data content type, or undefined when it is another type (RFC 7578 §4.1).
 * @throws AppError `InvalidRequest` when the boundary is missing or no boundary (RFC 2046 §5.1.1).
 */
export function formBoundary(contentType: string | undefined): string | undefined {
  if (contentType === undefined || !/^multipart\/form-data(;|$)/i.test(contentType.trim())) return undefined;
  const match = /;\s*boundary=(?:"([^"]{1,70})"|([^\s";,]{1,70}))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2];
  if (boundary === undefined) throw invalidRequest('The multipart body names no boundary');
  return boundary;
}

/**
 * Reads a multipart/form-data body part by part without holding a whole part in memory (RFC 2046 §5.1, RFC 7578).
 * @throws AppError `InvalidRequest` when the body is cut short or malformed.
 */
export async function* formParts(
  source: AsyncIterable<Uint8Array>,
  boundary: string,
): AsyncGenerator<FormPart> {
  const reader = new DelimitedReader(source);
  const delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  // The first delimiter has no line break before it unless there is a preamble, which is to be ignored.
  reader.unread(Buffer.from('\r\n'));
  for await (const preamble of reader.until(delimiter)) void preamble;
  while (!(await isLastDelimiter(reader))) {
    const chunks = reader.until(delimiter);
    yield { ...parseHeaders(await reader.line(doubleBreak, limits.formHeaderBytes)), chunks };
    for await (const unread of chunks) void unread;
  }
}

const lineBreak = Buffer.from('\r\n');
const doubleBreak = Buffer.from('\r\n\r\n');

/** After a delimiter stands `--` when it was the last, else optional padding and a line break. */
async function isLastDelimiter(reader: DelimitedReader): Promise<boolean> {
  const [first, second] = [await reader.byte(), await reader.byte()];
  if (first === 0x2d && second === 0x2d) return true;
  reader.unread(Buffer.from([first, second]));
  const padding = await reader.line(lineBreak, 64);
  if (padding.trim() !== '') throw invalidRequest('The multipart body is malformed');
  return false;
}

function parseHeaders(text: string): Omit<FormPart, 'chunks'> {
  const headers = new Map<string, string>();
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  const disposition = headers.get('content-disposition') ?? '';
  const name = parameter(disposition, 'name');
  if (!/^form-data\b/i.test(disposition) || name === undefined) {
    throw invalidRequest('A part of the multipart body has no name');
  }
  return { name, fileName: parameter(disposition, 'filename'), contentType: headers.get('content-type') };
}

/** Browsers percent-encode quotes and line breaks in names (WHATWG "multipart/form-data encoding algorithm"). */
function parameter(disposition: string, name: string): string | undefined {
  const match = new RegExp(`;\\s*${name}=(?:"([^"]*)"|([^\\s;"]+))`, 'i').exec(disposition);
  const value = match?.[1] ?? match?.[2];
  return value?.replace(/%22|%0D|%0A/gi, (encoded) => decodeURIComponent(encoded));
}

/** Takes a stream apart at delimiters, whatever chunks it arrives in. */
class DelimitedReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #buffered: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  unread(bytes: Buffer): void {
    this.#buffered = Buffer.concat([bytes, this.#buffered]);
  }

  async byte(): Promise<number> {
    while (this.#buffered.length === 0) await this.#fill();
    const byte = this.#buffered[0]!;
    this.#buffered = this.#buffered.subarray(1);
    return byte;
  }

  /** Gives everything up to `delimiter` and takes the delimiter out. */
  async *until(delimiter: Buffer): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const at = this.#buffered.indexOf(delimiter);
      if (at !== -1) {
        const last = this.#take(at);
        this.#take(delimiter.length);
        if (last.length > 0) yield last;
        return;
      }
      // All but a tail that may be the beginning of the delimiter.
      const safe = this.#buffered.length - delimiter.length + 1;
      if (safe > 0) yield this.#take(safe);
      await this.#fill();
    }
  }

  /** The text up to `end`. */
  async line(end: Buffer, maxBytes: number): Promise<string> {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    for await (const chunk of this.until(end)) {
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) throw tooLarge('multipart header');
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  #take(length: number): Buffer {
    const taken = this.#buffered.subarray(0, length);
    this.#buffered = this.#buffered.subarray(length);
    return taken;
  }

  async #fill(): Promise<void> {
    const next = await this.#source.next();
    if (next.done) throw invalidRequest('The multipart body ended early');
    const chunk = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.length);
    this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk]);
  }
}
