import { rememberUpgrade } from '#libs/platform';
import type { FastifyInstance } from 'fastify';
import { ServerResponse, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';

/**
 * Takes requests to change the protocol of a connection. One for a WebSocket goes the way of any request, through the
 * same guards, and its controller may answer 101 and keep the connection; any other offer is not taken up, which a
 * server is free to do (RFC 9110 §7.8).
 */
export function acceptUpgrades(server: Server, fastify: FastifyInstance): void {
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    const socket = stream as Socket;
    // Told by its end, too.
    socket.on('error', () => {});
    if (!isWebSocket(request)) return serveAsIfNotAsked(server, request, socket, head);
    showToken(request);
    rememberUpgrade(request, { socket, head });
    const response = new ServerResponse(request);
    response.assignSocket(socket);
    // Nothing parses a second request on this connection.
    response.shouldKeepAlive = false;
    response.once('finish', () => {
      response.detachSocket(socket);
      if (response.statusCode !== 101) socket.end();
    });
    fastify.routing(request, response);
  });
}

/** RFC 6455 §4.1: such a request is a GET and has no body. */
function isWebSocket({ method, headers }: IncomingMessage): boolean {
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return method === 'GET' && !hasBody && headers.upgrade?.toLowerCase() === 'websocket';
}

/**
 * Browsers can set no header of a WebSocket but its protocols. By the convention of Supabase's functions one of them is
 * `jwt-<token>`; here it may be a publishable key as well, and every guard finds it where it looks for tokens.
 */
function showToken({ headers }: IncomingMessage): void {
  if (headers.authorization !== undefined) return;
  const protocols = (headers['sec-websocket-protocol'] ?? '').split(',').map((protocol) => protocol.trim());
  const token = protocols.find((protocol) => protocol.startsWith('jwt-'))?.slice('jwt-'.length);
  if (token) headers.authorization = `Bearer ${token}`;
}

/** Node.js has stopped parsing: the connection begins anew with the request as it would be without the offer. */
function serveAsIfNotAsked(server: Server, request: IncomingMessage, socket: Socket, head: Buffer): void {
  const { method, url, httpVersion, rawHeaders } = request;
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (!/^(upgrade|connection|http2-settings)$/i.test(rawHeaders[i]!)) {
      lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
    }
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit('connection', socket);
}
