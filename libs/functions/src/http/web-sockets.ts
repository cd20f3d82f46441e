import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { AppError, type Upgrade } from '#libs/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import { limits } from '../limits.js';
import type { InvocationResponse } from '../runtime/function-runtime.js';
import { relayWebSocket } from './relay-web-socket.js';

/** The WebSockets between clients and functions that this process holds. */
@Injectable()
export class WebSockets implements OnModuleDestroy {
  readonly #closing = new AbortController();
  #open = 0;

  /** @throws AppError `RATE_LIMIT_EXCEEDED` (429) */
  checkRoom(): void {
    if (this.#open < limits.openWebSockets) return;
    throw new AppError({
      code: 'RATE_LIMIT_EXCEEDED',
      status: 429,
      message: `${limits.openWebSockets} WebSockets are open, which is the limit.`,
    });
  }

  /** Passes the function's 101 on, and then what either side sends, until one of them ends. */
  async open(
    reply: FastifyReply,
    { socket: client, head }: Upgrade,
    { headers, socket, body }: InvocationResponse,
  ): Promise<void> {
    const own = reply.getHeaders() as Record<string, string>;
    reply.hijack();
    if (client.destroyed) {
      socket!.destroy();
      return;
    }
    const answered = new Promise<void>((resolve) => reply.raw.once('finish', resolve).once('close', resolve));
    reply.raw.writeHead(101, {
      ...headers,
      ...tokenProtocol(reply.request, headers['sec-websocket-protocol']),
      ...own,
      connection: 'Upgrade',
      upgrade: 'websocket',
    });
    reply.raw.end();
    await answered;
    client.unshift(head);
    this.#open += 1;
    await relayWebSocket(client, socket!, body as Readable, this.#closing.signal);
    this.#open -= 1;
  }

  /** Before anybody waits for functions to end: clients are told to come again. */
  onModuleDestroy(): void {
    this.#closing.abort();
  }
}

/**
 * Browsers give up a WebSocket whose server took none of the protocols that they offered. The one that carries the
 * token was for us, so it is taken when the function takes none; or takes it, whose token may be another than the client's.
 */
function tokenProtocol(
  { headers }: FastifyRequest,
  taken: string | string[] | undefined,
): Record<string, string> {
  const offered = headers['sec-websocket-protocol']?.split(',').map((protocol) => protocol.trim()) ?? [];
  const own = offered.find((protocol) => protocol.startsWith('jwt-'));
  if (own === undefined || (taken !== undefined && !`${taken}`.startsWith('jwt-'))) return {};
  return { 'sec-websocket-protocol': own };
}
