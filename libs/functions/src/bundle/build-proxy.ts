import { createServer, request as requestHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Socket } from 'node:net';
import { pipeline, type Duplex } from 'node:stream';

/** The name and port at which a build finds the way to the operator's proxies; no such host exists (RFC 2606). */
export const proxyHost = 'proxy.invalid';
export const proxyPort = 3128;

/** The operator's HTTP proxies, by the kind of address that is asked for. */
export interface Proxies {
  readonly http: URL | null;
  readonly https: URL | null;
}

/** Null when there is one that we cannot speak to. */
export function proxiesIn(environment: Readonly<Record<string, string>>): Proxies | null {
  const [http, https] = [environment['HTTP_PROXY'], environment['HTTPS_PROXY']].map((text) => {
    if (text === undefined) return null;
    const url = URL.canParse(text) ? new URL(text) : undefined;
    return url && ['http:', 'https:'].includes(url.protocol) ? url : undefined;
  });
  return http === undefined || https === undefined ? null : { http, https };
}

/**
 * Stands in a build's jail for the proxies that this host reaches the world by: passes on to them what `permits` lets
 * through. Names are resolved by them, so that no address can be looked at; passwords for them stay here.
 * @returns what takes a connection from the jail
 */
export function proxyDoor(proxies: Proxies, permits: (host: string, port: number) => boolean) {
  const server = createServer((request, response) => forward(proxies.http, permits, request, response));
  server.on('connect', (request: IncomingMessage, socket: Duplex) => {
    socket.on('error', () => {});
    lead(proxies.https, permits, request, socket);
  });
  return (socket: Socket): boolean => server.emit('connection', socket);
}

/** `GET http://host/path` */
function forward(
  proxy: URL | null,
  permits: (host: string, port: number) => boolean,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const url = URL.canParse(request.url!) ? new URL(request.url!) : null;
  if (!proxy || url?.protocol !== 'http:' || !permits(url.hostname, Number(url.port || 80))) {
    return void response.writeHead(403).end();
  }
  const asked = toProxy(proxy, request.method!, url.href, { ...request.headers, host: url.host });
  asked.once('response', (answer) => {
    response.writeHead(answer.statusCode!, answer.headers);
    pipeline(answer, response, () => {});
  });
  asked.once('error', () => response.headersSent || response.writeHead(502).end());
  pipeline(request, asked, () => {});
}

/** `CONNECT host:port` */
function lead(
  proxy: URL | null,
  permits: (host: string, port: number) => boolean,
  request: IncomingMessage,
  socket: Duplex,
): void {
  const [, host, port] = /^(\[[^\]]+\]|[^:]+):(\d{1,5})$/.exec(request.url!) ?? [];
  if (!proxy || !host || !permits(host.replace(/^\[|\]$/g, ''), Number(port))) return refuse(socket, 403);
  const asked = toProxy(proxy, 'CONNECT', `${host}:${port}`, { host: `${host}:${port}` });
  socket.once('close', () => asked.destroy());
  asked.once('error', () => refuse(socket, 502));
  asked.once('connect', (answer, peer, first) => {
    if (answer.statusCode !== 200) {
      peer.destroy();
      return refuse(socket, 502);
    }
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    socket.write(first);
    pipeline(socket, peer, () => peer.destroy());
    pipeline(peer, socket, () => socket.destroy());
  });
  asked.end();
}

function toProxy(proxy: URL, method: string, path: string, headers: IncomingMessage['headers']) {
  const { protocol, hostname, port, username, password } = proxy;
  const request = protocol === 'https:' ? requestHttps : requestHttp;
  const secret = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
  return request({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port || (protocol === 'https:' ? 443 : 80),
    method,
    path,
    headers: {
      ...headers,
      ...(username && { 'proxy-authorization': `Basic ${secret.toString('base64')}` }),
    },
    agent: false,
  });
}

function refuse(socket: Duplex, status: 403 | 502): void {
  socket.end(`HTTP/1.1 ${status} ${status === 403 ? 'Forbidden' : 'Bad Gateway'}\r\n\r\n`);
}
