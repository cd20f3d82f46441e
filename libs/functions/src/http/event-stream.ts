import type { FastifyReply } from 'fastify';
import { limits } from '../limits.js';

export const eventStreamHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  // Proxies that collect answers would hold the events back.
  'x-accel-buffering': 'no',
};

/**
 * An answer of server-sent events (HTML standard §9.2): the client sees each as soon as it is sent. For few events: a
 * slow client is not waited for.
 */
export class EventStream {
  constructor(private readonly reply: FastifyReply) {
    const own = reply.getHeaders() as Record<string, string>;
    reply.hijack();
    if (this.isClosed) return;
    reply.raw.writeHead(200, { ...own, ...eventStreamHeaders });
    reply.raw.flushHeaders();
    // Proxies cut connections on which nothing passes; a line that begins with a colon is a comment.
    const timer = setInterval(() => reply.raw.write(':\n\n'), limits.eventStreamKeepAliveMs).unref();
    reply.raw.once('close', () => clearInterval(timer));
  }

  /** The client went away. */
  get isClosed(): boolean {
    return this.reply.raw.destroyed;
  }

  /** @param id by which the client says, when it comes again, what it has seen */
  send(event: string, data: unknown, id?: string | number): void {
    if (this.isClosed) return;
    const idLine = id === undefined ? '' : `id: ${id}\n`;
    this.reply.raw.write(`${idLine}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  end(): void {
    this.reply.raw.end();
  }
}

export function wantsEventStream(accept: string | undefined): boolean {
  return accept?.toLowerCase().includes('text/event-stream') ?? false;
}
