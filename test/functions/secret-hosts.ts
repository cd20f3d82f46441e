import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import { afterAll, beforeAll } from '@jest/globals';
import { CertificateAuthority } from '../../libs/functions/src/runtime/egress/certificate-authority.js';

/** Services of the world at which functions use secrets, on this host; all tell what arrived at them. */
export interface SecretHosts {
  /** Who vouches for `tls`, as a company does for its own hosts. */
  readonly authority: string;
  /** Ports. */
  readonly plain: number;
  readonly tls: number;
  /** Nobody vouches for it. */
  readonly unknown: number;
  /** Its certificate is for another name. */
  readonly misnamed: number;
  /** Allowed, and no host of any secret. */
  readonly other: number;
  /** Requests that arrived, of all of them: the first line and the headers as they were written. */
  readonly arrived: string[];
  /** In the order of the ports: plain, other, and those with TLS. */
  readonly servers: readonly Server[];
}

export function useSecretHosts(answer: RequestListener): SecretHosts {
  const arrived: string[] = [];
  const listener: RequestListener = (request, response) => {
    arrived.push(`${request.method} ${request.url}\n${request.rawHeaders.join('\n')}`);
    answer(request, response);
  };
  /** Agrees to an upgrade, tells how long the key was, and echoes. */
  const upgrade = (request: IncomingMessage, socket: Duplex) => {
    arrived.push(`${request.method} ${request.url}\n${request.rawHeaders.join('\n')}`);
    socket.on('error', () => {});
    if (request.url === '/hostile') return void socket.destroy();
    const { upgrade: protocol, 'x-key': key = '' } = request.headers;
    socket.write(
      `HTTP/1.1 101 Fine\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\nX-Was: ${key.length}\r\n\r\n`,
    );
    socket.pipe(socket);
  };
  const servers: (Server & { closeAllConnections(): void })[] = [];
  const listening = async (server: Server & { closeAllConnections(): void }) => {
    servers.push(server.on('upgrade', upgrade));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return (server.address() as AddressInfo).port;
  };
  const overTls = (context: SecureContext) =>
    createTlsServer({ SNICallback: (_name, done) => done(null, context) }, listener);
  const hosts = { authority: '', plain: 0, tls: 0, unknown: 0, misnamed: 0, other: 0, arrived, servers };
  beforeAll(async () => {
    const known = await CertificateAuthority.create();
    const unknown = await CertificateAuthority.create();
    hosts.authority = known.certificate;
    hosts.plain = await listening(createServer(listener));
    hosts.other = await listening(createServer(listener));
    hosts.tls = await listening(overTls(await known.contextFor('localhost')));
    hosts.unknown = await listening(overTls(await unknown.contextFor('localhost')));
    hosts.misnamed = await listening(overTls(await known.contextFor('elsewhere.test')));
  });
  afterAll(() => {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });
  return hosts;
}
