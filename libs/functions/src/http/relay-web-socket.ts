import { AppError } from '#libs/platform';
import { setMaxListeners } from 'node:events';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { limits } from '../limits.js';
import { closeFrame, FrameTracker } from './web-socket-frames.js';

/**
 * Passes bytes between a client and a function, each only as fast as the other takes them, and resolves when both
 * sides have ended. What they say is not looked at; their pings are each other's.
 *
 * When we end it, the client is told why by a Close frame (RFC 6455 §7.4.1), if the function is not in the middle of a
 * frame. When the function's process died, nobody says goodbye, and the client finds the connection closed (1006).
 *
 * @param life ends with the invocation, in an error if we cut it off
 * @param closing aborts when this process stops
 */
export async function relayWebSocket(
  client: Socket,
  fn: Socket,
  life: Readable,
  closing: AbortSignal,
): Promise<void> {
  const frames = new FrameTracker();
  const say = (code: number, reason: string) => {
    if (frames.isBetweenFrames && client.writable) client.write(closeFrame(code, reason));
    fn.destroy();
  };
  const onClosing = () => say(1012, 'The server restarts');
  setMaxListeners(0, closing);
  closing.addEventListener('abort', onClosing);
  if (closing.aborted) onClosing();
  life.once('error', (error) => sayWhy(error, say));
  client.setKeepAlive(true, limits.webSocketKeepAliveMs);
  client.setNoDelay(true);
  client.pipe(fn);
  fn.on('data', (chunk: Buffer) => {
    frames.see(chunk);
    if (!client.write(chunk)) fn.pause();
  });
  client.on('drain', () => fn.resume());
  fn.once('end', () => client.end());
  await Promise.all([closed(client, fn), closed(fn, client)]);
  closing.removeEventListener('abort', onClosing);
}

function sayWhy(error: Error, say: (code: number, reason: string) => void): void {
  const code = error instanceof AppError ? error.code : '';
  if (code === 'IDLE_TIMEOUT') say(1001, 'The time limit of the function is reached');
  else if (code === 'SHUTTING_DOWN') say(1012, 'The server restarts');
  else if (code === 'WORKER_LIMIT') say(1011, 'The function used more than its limit');
}

/** Resolves when `one` is closed, after which `other` gets a moment to end too. */
function closed(one: Socket, other: Socket): Promise<void> {
  return new Promise((resolve) => {
    const onClose = () => {
      other.end();
      // Its own end comes behind what nobody reads any more.
      other.resume();
      const timer = setTimeout(() => other.destroy(), limits.webSocketCloseMs);
      if (other.closed) clearTimeout(timer);
      else other.once('close', () => clearTimeout(timer));
      resolve();
    };
    if (one.closed) onClose();
    else one.once('close', onClose);
  });
}
