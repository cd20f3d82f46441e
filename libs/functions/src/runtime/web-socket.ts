import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline, Readable, Transform } from 'node:stream';
import type { Cancellation } from '../cancellation.js';
import type { InvocationRequest, InvocationResponse } from './function-runtime.js';
import { hopByHop } from './http/hop-by-hop.js';
import { isNotReached, NotReached } from './invocation.js';
import { invocationHeader } from './loader/protocol.js';
import { runtimeLimits as limits } from './runtime-limits.js';
import type { Traffic } from './traffic.js';

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
      headers: {
        ...withoutBody(endToEnd(request.headers)),
        [invocationHeader]: request.invocationId,
        connection: 'Upgrade',
        upgrade: 'websocket',
      },
      agent: false,
      maxHeaderSize: limits.responseHeaderBytes,
    });
    const ignore = request.cancellation?.onCancel((reason) => asked.destroy(reason as Error));
    asked.once('close', () => ignore?.());
    asked.once('error', (error) => reject(isNotReached(error) ? new NotReached(error) : error));
    asked.once('response', (response) => resolve(answerOf(response, counted(response, request.traffic))));
    asked.once('upgrade', (response, socket: Socket, head) => {
      request.traffic?.follow(socket, head);
      socket.unshift(head);
      resolve({ ...answerOf(response, lifeOf(socket, request.cancellation, endingOf)), socket });
    });
    asked.end();
  });
}

function answerOf(response: IncomingMessage, body: Readable): InvocationResponse {
  return { status: response.statusCode!, headers: endToEnd(response.headers), body };
}

function counted(body: Readable, traffic: Traffic | undefined): Readable {
  const counter = new Transform({
    transform(part: Buffer, _encoding, done) {
      traffic?.addOut(part.length);
      done(null, part);
    },
  });
  return pipeline(body, counter, () => {});
}

function withoutBody(headers: Record<string, string | string[]>): Record<string, string | string[]> {
  const { 'content-length': _length, expect: _expect, ...others } = headers;
  return others;
}

/** Without those that belong to one connection. */
function endToEnd(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined && !hopByHop.has(name)) kept[name] = value;
  }
  return kept;
}

/** An empty stream that ends when the connection does, in an error if a cancellation or the process's death ended it. */
function lifeOf(
  socket: Socket,
  cancellation: Cancellation | null,
  endingOf: () => Promise<Error | null>,
): Readable {
  const life = new Readable({ read() {} });
  life.on('error', () => {});
  // Nothing comes, but only who reads is told of the end.
  life.resume();
  const ignore = cancellation?.onCancel((reason) => {
    life.destroy(reason as Error);
    // After whoever listens could say goodbye.
    setImmediate(() => socket.destroy());
  });
  socket.on('error', () => {});
  let endedByUs: boolean | undefined;
  // Node.js answers the other side's end with its own right afterwards.
  socket.once('end', () => (endedByUs = socket.writableEnded));
  socket.once('close', () => {
    ignore?.();
    if (endedByUs ?? socket.writableEnded) return life.push(null);
    void endingOf().then((error) => (error ? life.destroy(error) : life.push(null)));
  });
  return life;
}
