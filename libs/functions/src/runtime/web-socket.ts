import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { InvocationRequest, InvocationResponse } from './function-runtime.js';
import { requestHeaders, responseHeaders } from './invocation.js';
import { runtimeLimits as limits } from './runtime-limits.js';

/**
 * Asks the function behind the Unix socket at `socketPath` for a WebSocket, on a connection of its own.
 *
 * @param endingOf what the process has died of, if it has; asked when the function's side ends first
 * @returns the function's answer: 101 with the connection, or whatever it refuses with
 */
export function askForWebSocket(
  socketPath: string,
  request: InvocationRequest,
  endingOf: () => Promise<Error | null>,
): Promise<InvocationResponse> {
  return new Promise((resolve, reject) => {
    const asked = httpRequest({
      socketPath,
      method: request.method,
      path: request.path,
      headers: { ...requestHeaders(request), connection: 'Upgrade', upgrade: 'websocket' },
      agent: false,
      maxHeaderSize: limits.responseHeaderBytes,
    });
    const onAbort = () => asked.destroy(request.signal!.reason as Error);
    request.signal?.addEventListener('abort', onAbort);
    asked.once('close', () => request.signal?.removeEventListener('abort', onAbort));
    asked.once('error', reject);
    asked.once('response', (response) => resolve(answerOf(response, response)));
    asked.once('upgrade', (response, socket: Socket, head) => {
      socket.unshift(head);
      resolve({ ...answerOf(response, lifeOf(socket, request.signal, endingOf)), socket });
    });
    asked.end();
  });
}

function answerOf(response: IncomingMessage, body: Readable): InvocationResponse {
  return { status: response.statusCode!, headers: responseHeaders(response.headers), body };
}

/** An empty stream that ends when the connection does, in an error if the signal or the process's death ended it. */
function lifeOf(socket: Socket, signal: AbortSignal | null, endingOf: () => Promise<Error | null>): Readable {
  const life = new Readable({ read() {} });
  life.on('error', () => {});
  // Nothing comes, but only who reads is told of the end.
  life.resume();
  const onAbort = () => {
    life.destroy(signal!.reason as Error);
    // After whoever listens could say goodbye.
    setImmediate(() => socket.destroy());
  };
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort);
  socket.on('error', () => {});
  let endedByUs: boolean | undefined;
  // Node.js answers the other side's end with its own right afterwards.
  socket.once('end', () => (endedByUs = socket.writableEnded));
  socket.once('close', () => {
    signal?.removeEventListener('abort', onAbort);
    if (endedByUs ?? socket.writableEnded) return life.push(null);
    void endingOf().then((error) => (error ? life.destroy(error) : life.push(null)));
  });
  return life;
}
