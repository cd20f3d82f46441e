import type { Socket } from 'node:net';
import { finished, type Readable } from 'node:stream';
import { isChunked, requestHead, type RequestLine } from './request-head.js';

/**
 * Writes a request to a socket, a body that is a stream as fast as the socket takes it.
 * @param onSent called when all of it was written, with an error when its body broke off
 * @throws Error when it is not a valid request; nothing was written then
 */
export function sendRequest(
  socket: Socket,
  request: RequestLine,
  onSent: (error: Error | null) => void,
): void {
  const { body } = request;
  const head = requestHead(request);
  if (body !== null && typeof body === 'object' && !Buffer.isBuffer(body)) {
    socket.write(head, 'latin1');
    body.on('data', (part: Buffer) => request.traffic?.addIn(part.length));
    return sendBody(socket, body, isChunked(request.headers['content-length']), onSent);
  }
  if (body !== null) request.traffic?.addIn(Buffer.byteLength(body));
  // Together with the other requests of this turn: a process that is woken for each takes longer over them, and so do we.
  setImmediate(() => {
    socket.cork();
    socket.write(head, 'latin1');
    if (body !== null) socket.write(body);
    socket.uncork();
  });
  onSent(null);
}

function sendBody(
  socket: Socket,
  body: Readable,
  chunked: boolean,
  onSent: (error: Error | null) => void,
): void {
  const resume = () => body.resume();
  const stop = () => body.destroy();
  socket.on('drain', resume).once('close', stop);
  body.on('data', (part: Buffer) => {
    if (part.length === 0) return;
    socket.cork();
    if (chunked) socket.write(`${part.length.toString(16)}\r\n`, 'latin1');
    const isTaken = socket.write(part);
    if (chunked) socket.write('\r\n', 'latin1');
    socket.uncork();
    if (!isTaken) body.pause();
  });
  finished(body, { writable: false }, (error) => {
    socket.off('drain', resume).off('close', stop);
    if (!error && chunked) socket.write('0\r\n\r\n', 'latin1');
    onSent(error ?? null);
  });
}
