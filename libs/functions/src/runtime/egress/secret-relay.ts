import {
  Agent,
  createServer,
  request as httpRequest,
  ServerResponse,
  type ClientRequest,
  type IncomingMessage,
} from 'node:http';
import type { Socket } from 'node:net';
import { pipeline, type Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { runtimeLimits as limits } from '../runtime-limits.js';
import type { CertificateAuthority } from './certificate-authority.js';
import type { EgressSecret } from './egress-secrets.js';
import { passedOn } from './relayed-headers.js';
import { refusalOf, requestHeaders, type Refusal } from './relayed-request.js';
import type { VerifiedTls } from './verified-tls.js';

/** The first byte of a TLS connection: a record of its handshake (RFC 8446 §5.1). */
const handshakeRecord = 0x16;

/** Where a connection leads, and what is filled in on it. */
export interface RelayTarget {
  readonly host: string;
  readonly port: number;
  readonly secrets: readonly EgressSecret[];
  /** Called when the host's own certificate is not accepted. */
  onUnverified(why: string): void;
}

interface Relayed extends RelayTarget {
  readonly peer: Socket;
  /** Over {@link peer}. Rejects when its certificate is not accepted. */
  readonly upstream: Promise<Agent>;
  requestsUnderWay: number;
}

/**
 * Puts secrets into requests. On a connection to a host at which a function uses secrets, its HTTP ends here, and is
 * spoken on over one connection to the address that was vetted. TLS ends here as well, and the host's own certificate is
 * verified before anything is sent to it.
 *
 * Which host that is was known before a byte was read, so nothing that the function writes (a TLS server name, a Host
 * header, an absolute target) decides where a secret goes; a request that names another host is refused, since a server
 * may have hosts that trust each other less than we trust it. What is passed on is written anew from what was
 * understood, so both sides see the same requests.
 */
export class SecretRelay {
  /** It never listens: it is handed connections. They last as long as both ends want, or until the function's end. */
  readonly #server = createServer({
    insecureHTTPParser: false,
    keepAliveTimeout: 0,
    maxHeaderSize: limits.egressHeaderBytes,
    requestTimeout: 0,
  });
  readonly #relayed = new WeakMap<Duplex, Relayed>();

  constructor(
    private readonly authority: CertificateAuthority,
    private readonly verifiedTls: VerifiedTls,
  ) {
    const relay = (request: IncomingMessage, response: ServerResponse) =>
      this.#relay(request, response, (asked) => sendBody(request, asked));
    this.#server.on('request', relay);
    // Whether a body is wanted is for the host to say.
    this.#server.on('checkContinue', relay);
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /**
   * Takes a connection of a function and the one that was made for it. When either ends, so does the other.
   * @param peer has an address that may be connected to
   */
  async join(socket: Socket, peer: Socket, target: RelayTarget): Promise<void> {
    // What was sent before still arrives.
    socket.once('close', () => peer.destroySoon());
    const first = await firstByte(socket);
    const isTls = first === handshakeRecord;
    // What is declared for port 443 is never sent in the clear.
    if (first === null || (!isTls && target.port === 443)) return void socket.destroy();
    const client = isTls ? await this.#terminated(socket, target.host) : socket;
    const upstream = isTls ? this.verifiedTls.over(peer, target.host) : Promise.resolve(peer);
    const relayed: Relayed = {
      ...target,
      peer,
      upstream: upstream.then((connection) => new OneConnection(connection)),
      requestsUnderWay: 0,
    };
    client.on('error', () => {});
    const onEnd = () => relayed.requestsUnderWay === 0 && client.destroySoon();
    // Of a host that is not accepted the first request is told.
    relayed.upstream.then(() => (peer.destroyed ? onEnd() : peer.once('close', onEnd))).catch(() => {});
    this.#relayed.set(client, relayed);
    this.#server.emit('connection', client);
  }

  async #terminated(socket: Socket, host: string): Promise<TLSSocket> {
    const secureContext = await this.authority.contextFor(host);
    return new TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols: ['http/1.1'] });
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Of a socket that is still to carry another answer.
    if (this.#relayed.get(socket)!.requestsUnderWay > 0) return void socket.destroy();
    const response = new ServerResponse(request);
    // Whatever is answered but 101 is the last word: what follows an upgrade is not looked at as requests.
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Socket);
    response.once('finish', () => (socket as Socket).destroySoon());
    this.#relay(request, response, (asked) => {
      asked.setHeader('Connection', 'Upgrade');
      asked.setHeader('Upgrade', request.headers.upgrade!);
      asked.once('upgrade', (answer, peer, peerHead) => {
        response.detachSocket(socket as Socket);
        socket.write(switchingProtocols(answer), 'latin1');
        socket.write(peerHead);
        peer.write(head);
        pipeline(socket, peer, () => peer.destroy());
        pipeline(peer, socket, () => socket.destroy());
      });
      asked.end();
    });
  }

  /** @param send sends what follows the headers */
  #relay(request: IncomingMessage, response: ServerResponse, send: (asked: ClientRequest) => void): void {
    const relayed = this.#relayed.get(request.socket)!;
    const { socket } = request;
    relayed.requestsUnderWay += 1;
    response.once('close', () => {
      relayed.requestsUnderWay -= 1;
      if (relayed.peer.destroyed) socket.destroySoon();
    });
    if (relayed.requestsUnderWay > limits.egressRequestsAhead) return void socket.destroy();
    const refusal = refusalOf(request, relayed);
    if (refusal) return refuse(response, refusal);
    relayed.upstream.then(
      // What Node.js reads and would not write ends the connection.
      (agent) => attempt(socket, () => ask(request, response, agent, relayed, send)),
      (error) => refuse(response, unverified(relayed, error)),
    );
  }
}

function ask(
  request: IncomingMessage,
  response: ServerResponse,
  agent: Agent,
  { peer, secrets }: Relayed,
  send: (asked: ClientRequest) => void,
): void {
  const { socket, method, url } = request;
  if (peer.destroyed) return void socket.destroy();
  const maxHeaderSize = limits.egressHeaderBytes;
  const asked = httpRequest({ agent, method: method!, path: url!, setHost: false, maxHeaderSize });
  asked.on('error', () => socket.destroy());
  asked.once('continue', () => response.writeContinue());
  asked.once('response', (answer) => attempt(socket, () => passAnswer(request, response, asked, answer)));
  response.once('close', () => response.writableFinished || asked.destroy());
  for (const [name, value] of requestHeaders(request, secrets)) asked.appendHeader(name, value);
  send(asked);
}

/** Neither the function nor the host decides what an exception of ours ends. */
function attempt(socket: Socket, work: () => void): void {
  try {
    work();
  } catch {
    socket.destroy();
  }
}

/** The one connection that there is to a host, for one request after the other. */
class OneConnection extends Agent {
  constructor(private readonly connection: Socket) {
    super({ keepAlive: true, maxSockets: 1 });
  }

  override createConnection(): Socket {
    return this.connection;
  }
}

function sendBody(request: IncomingMessage, asked: ClientRequest): void {
  const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
  if (length === undefined && coding === undefined) return void asked.end();
  // By itself Node.js sends the body of a GET without either.
  if (coding !== undefined) asked.setHeader('Transfer-Encoding', 'chunked');
  else asked.setHeader('Content-Length', length!);
  // Its first byte may be long in coming.
  asked.flushHeaders();
  request.pipe(asked);
}

function passAnswer(
  request: IncomingMessage,
  response: ServerResponse,
  asked: ClientRequest,
  answer: IncomingMessage,
): void {
  // An answer before the end of the request leaves a connection on which nothing can be told apart any more.
  const isLast = !asked.shouldKeepAlive || !request.complete;
  const headers = [...passedOn(answer.rawHeaders).flat(), ...(isLast ? ['Connection', 'close'] : [])];
  response.sendDate = false;
  response.writeHead(answer.statusCode!, answer.statusMessage, headers);
  response.flushHeaders();
  pipeline(answer, response, (error) => error && request.socket.destroy());
}

function switchingProtocols({ statusMessage, rawHeaders }: IncomingMessage): string {
  const lines = rawHeaders.map((text, at) => text + (at % 2 === 0 ? ': ' : '\r\n'));
  return `HTTP/1.1 101 ${statusMessage}\r\n${lines.join('')}\r\n`;
}

function refuse(response: ServerResponse, { status, code, message }: Refusal): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(JSON.stringify({ code, message }));
}

function unverified({ host, port, onUnverified }: Relayed, error: unknown): Refusal {
  const { code = 'no TLS connection' } = error as NodeJS.ErrnoException;
  onUnverified(`its certificate was not accepted (${code})`);
  const message = `The certificate of ${host}:${port} was not accepted (${code}), and nothing was sent to it`;
  return { status: 502, code: 'certificate_not_accepted', message };
}

/** Null when none comes. It is still to be read afterwards. */
function firstByte(socket: Socket): Promise<number | null> {
  return new Promise((resolve) => {
    const settle = (byte: number | null) => {
      socket.off('readable', onReadable).off('end', onEnd).off('close', onEnd);
      resolve(byte);
    };
    const onEnd = () => settle(null);
    const onReadable = () => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      socket.unshift(chunk);
      settle(chunk[0]!);
    };
    socket.on('readable', onReadable).on('end', onEnd).on('close', onEnd);
  });
}
