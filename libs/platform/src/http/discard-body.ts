import type { IncomingMessage } from 'node:http';
import { limits } from '../limits.js';

const discarding = new WeakSet<IncomingMessage>();

/**
 * Lets what nobody will read of a request's body run into nothing. A client that is still sending would else not come to
 * read its answer, and the next request on its connection would wait behind the body for ever. Who goes on for too long
 * is cut off.
 */
export function discardBody(body: IncomingMessage): void {
  if (body.complete || body.socket.destroyed || discarding.has(body)) return;
  discarding.add(body);
  let discardedBytes = 0;
  const timer = setTimeout(() => body.socket.destroy(), limits.discardMs).unref();
  // Whoever was reading has stopped without saying so; while it listens nothing flows.
  body.unpipe();
  body.removeAllListeners('readable');
  body.on('error', () => {});
  body.once('close', () => clearTimeout(timer));
  body.once('end', () => clearTimeout(timer));
  body.on('data', (chunk: Buffer) => {
    discardedBytes += chunk.length;
    if (discardedBytes > limits.discardedBytes) body.socket.destroy();
  });
  body.resume();
}
