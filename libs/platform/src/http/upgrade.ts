import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/** The connection of a request that asks to become a WebSocket. */
export interface Upgrade {
  readonly socket: Socket;
  /** What the client sent behind its request. */
  readonly head: Buffer;
}

const upgrades = new WeakMap<IncomingMessage, Upgrade>();

/** Keeps the connection for the controller that will answer the request. */
export function rememberUpgrade(request: IncomingMessage, upgrade: Upgrade): void {
  upgrades.set(request, upgrade);
}

/** The connection of a request for a WebSocket; undefined for any other. A controller that does not ask answers plainly. */
export function upgradeOf(request: IncomingMessage): Upgrade | undefined {
  return upgrades.get(request);
}
