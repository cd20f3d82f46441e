import { fieldsOf } from './response-fields.js';

/** The beginning of an HTTP/1.1 response. */
export interface ResponseHead {
  readonly status: number;
  /** By name in lower case, without those that belong to the connection; several of one name are an array. */
  readonly headers: Record<string, string | string[]>;
  /** Whether the connection may carry another request after this response. */
  readonly keepsAlive: boolean;
  /** For how long it may be unused until the other side closes it, as far as it says. */
  readonly idleSeconds: number | null;
}

interface ResponseParts {
  onHead(head: ResponseHead): void;
  /** A part of the body; it shares memory with what was fed. */
  onData(part: Buffer): void;
  onEnd(): void;
}

type State = 'head' | 'length' | 'close' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailers' | 'end';

/**
 * Reads one HTTP/1.1 response (RFC 9112) that arrives in parts of any size. It is strict, since a function may write
 * its answer byte by byte: what could be read in two ways is an error. Informational responses are left out.
 */
export class ResponseParser {
  /** Whether more came than belongs to the response. */
  hasSurplus = false;
  #state: State = 'head';
  /** The beginning of a line, or of a head, whose end has not come yet. */
  #held = '';
  #headBytes = 0;
  /** Bytes to come of a body or of a chunk of it. */
  #left = 0;

  /** @param isHead whether it answers a HEAD request, whose answer has no body whatever it says */
  constructor(
    private readonly isHead: boolean,
    private readonly maxHeadBytes: number,
    private readonly parts: ResponseParts,
  ) {}

  /** @throws Error when it is not HTTP, or its head is too long */
  feed(bytes: Buffer): void {
    let rest = bytes;
    while (rest.length > 0 && this.#state !== 'end') rest = this.#step(rest);
    this.hasSurplus ||= rest.length > 0;
  }

  /** To be called when the connection has ended. @throws Error when something is missing */
  finish(): void {
    if (this.#state === 'close') this.#end();
    if (this.#state !== 'end') throw new Error('The connection ended before the response did');
  }

  #step(bytes: Buffer): Buffer {
    switch (this.#state) {
      case 'head':
        return this.#section(bytes, '\r\n\r\n', (text) => this.#head(text));
      case 'chunk-size':
        return this.#section(bytes, '\r\n', (text) => this.#chunkSize(text));
      case 'chunk-end':
        return this.#section(bytes, '\r\n', (text) => this.#chunkEnd(text));
      case 'trailers':
        return this.#section(bytes, '\r\n', (text) => text === '' && this.#end());
      default:
        return this.#body(bytes);
    }
  }

  /** Passes on the text before `mark` once that has come. */
  #section(bytes: Buffer, mark: string, onText: (text: string) => void): Buffer {
    const end = this.#endOf(mark, bytes);
    const taken = end ?? bytes.length;
    this.#headBytes += taken;
    if (this.#headBytes > this.maxHeadBytes) throw new Error('The head of the response is too long');
    const text = this.#held + bytes.toString('latin1', 0, taken);
    if (this.#state === 'head' && !beginsHead(text)) throw new Error('The response is not HTTP/1.1');
    this.#held = end === null ? text : '';
    if (end !== null) onText(text.slice(0, -mark.length));
    return bytes.subarray(taken);
  }

  /** Where the first `mark` ends in `bytes`; it may have begun in what came before. */
  #endOf(mark: string, bytes: Buffer): number | null {
    const before = this.#held.slice(1 - mark.length);
    if (before !== '') {
      const across = (before + bytes.toString('latin1', 0, mark.length - 1)).indexOf(mark);
      if (across >= 0) return across + mark.length - before.length;
    }
    const within = bytes.indexOf(mark, 0, 'latin1');
    return within < 0 ? null : within + mark.length;
  }

  #head(text: string): void {
    const [statusLine, ...lines] = text.split('\r\n');
    const [, digits] = /^HTTP\/1\.1 ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/.exec(statusLine!) ?? [];
    if (digits === undefined) throw new Error('The response does not begin with a status line');
    const status = Number(digits);
    if (status < 200 && status !== 101) return;
    const { headers, own } = fieldsOf(lines);
    this.#state = this.#framing(status, headers['content-length'], own['transfer-encoding']);
    const closes =
      this.#state === 'close' || status === 101 || /(?:^|,)\s*close\s*(?:,|$)/i.test(own['connection'] ?? '');
    const [, seconds = null] = /(?:^|,)\s*timeout=(\d{1,9})/i.exec(own['keep-alive'] ?? '') ?? [];
    const idleSeconds = seconds === null ? null : Number(seconds);
    this.parts.onHead({ status, headers, keepsAlive: !closes, idleSeconds });
    if (this.#state === 'length' && this.#left === 0) this.#end();
  }

  /** How the end of the body will be known (RFC 9112 §6.3). */
  #framing(status: number, length: string | string[] | undefined, coding: string | undefined): State {
    if (length !== undefined && (typeof length !== 'string' || !/^\d{1,15}$/.test(length))) {
      throw new Error('The Content-Length of the response is not a number');
    }
    if (this.isHead || status === 101 || status === 204 || status === 304) return 'length';
    if (coding !== undefined) {
      if (coding.toLowerCase() !== 'chunked' || length !== undefined) {
        throw new Error('The Transfer-Encoding of the response is not chunked alone');
      }
      this.#headBytes = 0;
      return 'chunk-size';
    }
    if (length === undefined) return 'close';
    this.#left = Number(length);
    return 'length';
  }

  #body(bytes: Buffer): Buffer {
    const taken = this.#state === 'close' ? bytes.length : Math.min(bytes.length, this.#left);
    this.parts.onData(bytes.subarray(0, taken));
    this.#left -= taken;
    if (this.#state === 'chunk' && this.#left === 0) this.#state = 'chunk-end';
    if (this.#state === 'length' && this.#left === 0) this.#end();
    return bytes.subarray(taken);
  }

  #chunkSize(text: string): void {
    const [, digits] = /^([0-9a-f]{1,8})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/i.exec(text) ?? [];
    if (digits === undefined) throw new Error('A chunk of the response does not begin with its size');
    this.#left = Number.parseInt(digits, 16);
    this.#headBytes = 0;
    this.#state = this.#left === 0 ? 'trailers' : 'chunk';
  }

  #chunkEnd(text: string): void {
    if (text !== '') throw new Error('A chunk of the response is longer than it says');
    this.#headBytes = 0;
    this.#state = 'chunk-size';
  }

  #end(): void {
    this.#state = 'end';
    this.parts.onEnd();
  }
}

const version = 'HTTP/1.1 ';

function beginsHead(text: string): boolean {
  return text.length < version.length ? version.startsWith(text) : text.startsWith(version);
}
