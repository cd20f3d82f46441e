import type { Readable } from 'node:stream';
import { invocationHeader } from '../loader/protocol.js';
import type { Traffic } from '../traffic.js';
import { hopByHop } from './hop-by-hop.js';

/** A request as it goes to a process. */
export interface RequestLine {
  /** Which invocation it is; null where the process is told what it is for. */
  readonly invocationId: string | null;
  readonly method: string;
  readonly path: string;
  /** Names in lower case; those that belong to a connection are left out. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readable | Buffer | string | null;
  /** Is told of each part of the body that goes there, and of the answer's that comes. */
  readonly traffic?: Traffic;
}

const headerName = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
const headerValue = /^[\t\x20-\x7e\x80-\xff]*$/;
const target = /^[\x21-\x7e\x80-\xff]+$/;
const method = /^[A-Z-]+$/;
/** Was answered by the front door already; is counted anew; is ours to tell. */
const notPassedOn: ReadonlySet<string> = new Set(['expect', 'content-length', invocationHeader]);
/** Their requests have a body, if only an empty one (RFC 9110 §8.6). */
const withBody: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/**
 * The request line and the headers, with the length of the body if that is known, in Latin-1.
 * @throws Error when something in it would end a line, or a name is not one
 */
export function requestHead(request: RequestLine): string {
  const { headers, body } = request;
  if (!method.test(request.method) || !target.test(request.path))
    throw new Error('The request line is not valid');
  let head = `${request.method} ${request.path} HTTP/1.1\r\n`;
  if (headers['host'] === undefined) head += 'host: function\r\n';
  if (request.invocationId !== null) head += headerLine(invocationHeader, request.invocationId);
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || hopByHop.has(name) || notPassedOn.has(name)) continue;
    if (!headerName.test(name)) throw new Error('A header of the request has no valid name');
    if (typeof value === 'string') head += headerLine(name, value);
    else for (const each of value) head += headerLine(name, each);
  }
  return `${head}${framing(request.method, headers['content-length'], body)}\r\n`;
}

function headerLine(name: string, value: string): string {
  if (!headerValue.test(value)) throw new Error(`The header ${name} of the request has no valid value`);
  return `${name}: ${value}\r\n`;
}

/** How the end of the body is known (RFC 9112 §6.3). */
function framing(
  requestMethod: string,
  announced: string | string[] | undefined,
  body: RequestLine['body'],
): string {
  if (body === null) return withBody.has(requestMethod) ? 'content-length: 0\r\n' : '';
  if (typeof body === 'string' || Buffer.isBuffer(body))
    return `content-length: ${Buffer.byteLength(body)}\r\n`;
  return isChunked(announced)
    ? 'transfer-encoding: chunked\r\n'
    : headerLine('content-length', String(announced));
}

/** Whether the length of a body that is a stream is not known before its end. */
export function isChunked(announced: string | string[] | undefined): boolean {
  return announced === undefined;
}
