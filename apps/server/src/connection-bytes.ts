import type { Socket } from 'node:net';

/** What passed through a client's connection, heads and bodies. */
export interface ConnectionBytes {
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** 0: they belong to a request that was told of before. */
  readonly requests: 0 | 1;
}

interface Seen {
  bytesIn: number;
  bytesOut: number;
  /** Whose the connection's last request was. */
  tell: (bytes: ConnectionBytes) => void;
}

/** By the connection's socket. */
const connections = new WeakMap<Socket, Seen>();

/**
 * Tells what passed for a request that was answered, that is since the one before, and at the connection's end what came
 * after the last one: a WebSocket, or a body that nobody wanted. The kernel's own counts, so nothing is left out. What a
 * client sends ahead of its turn is told one request early, and all together once.
 */
export function tellBytes(socket: Socket, tell: Seen['tell']): void {
  let seen = connections.get(socket);
  if (!seen) {
    connections.set(socket, (seen = { bytesIn: 0, bytesOut: 0, tell }));
    const opened = seen;
    socket.once('close', () => {
      const rest = since(opened, socket, 0);
      if (rest.bytesIn + rest.bytesOut > 0) opened.tell(rest);
    });
  }
  seen.tell = tell;
  tell(since(seen, socket, 1));
}

function since(seen: Seen, { bytesRead, bytesWritten }: Socket, requests: 0 | 1): ConnectionBytes {
  const passed = { bytesIn: bytesRead - seen.bytesIn, bytesOut: bytesWritten - seen.bytesOut, requests };
  seen.bytesIn = bytesRead;
  seen.bytesOut = bytesWritten;
  return passed;
}
