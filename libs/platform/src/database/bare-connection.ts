import pg from 'pg';
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { join } from 'node:path';

/** The request for TLS before any other message (PostgreSQL manual §54.2.10): its length, and a number for it. */
const tlsRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/**
 * A connection to PostgreSQL on which nothing has been said yet, for somebody who will log in by themselves; within TLS
 * where that is configured.
 * @throws Error when PostgreSQL cannot be reached, or speaks no TLS
 */
export async function bareConnection(config: pg.ClientConfig): Promise<Socket> {
  const { host, port, ssl } = new pg.Client(config) as pg.Client & { ssl: boolean | ConnectionOptions };
  const isPath = host.startsWith('/');
  const socket = isPath ? connect(join(host, `.s.PGSQL.${port}`)) : connect({ host, port, noDelay: true });
  await opened(socket, 'connect');
  if (!ssl || isPath) return socket;
  socket.write(tlsRequest);
  const [answer] = await opened<Buffer>(socket, 'data');
  if (answer?.toString() !== 'S') {
    socket.destroy();
    throw new Error('PostgreSQL speaks no TLS.');
  }
  const secure = connectTls({
    ...(ssl === true ? {} : withKey(ssl)),
    host,
    // A certificate is chosen by names alone (RFC 6066 §3).
    ...(isIP(host) === 0 && { servername: host }),
    socket,
  });
  await opened(secure, 'secureConnect');
  return secure;
}

/** pg hides the key of a client's certificate from whoever copies what it keeps. */
function withKey(ssl: ConnectionOptions): ConnectionOptions {
  return ssl.key === undefined ? ssl : { ...ssl, key: ssl.key };
}

function opened<T = unknown>(socket: Socket, event: string): Promise<T[]> {
  return new Promise((resolve, reject) => {
    const onEnd = (error?: Error | boolean) => {
      socket.destroy();
      reject(error instanceof Error ? error : new Error('PostgreSQL closed the connection.'));
    };
    socket.once('error', onEnd).once('close', onEnd);
    socket.once(event, (...values: T[]) => {
      socket.off('error', onEnd).off('close', onEnd);
      resolve(values);
    });
  });
}
