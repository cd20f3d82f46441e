import { lookup } from 'node:dns/promises';
import { connect, isIP, type Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { runtimeLimits as limits } from '../runtime-limits.js';
import { DeclaredHosts } from './declared-hosts.js';
import { answerNames } from './name-server.js';
import { isPublicAddress } from './public-address.js';

/** TCP, because only TCP sockets can be handed over; `use-vc` in resolv.conf(5) says so to the function. */
export const nameServerPort = 53;

/** Where a function may connect to. */
export interface EgressRules {
  /** `host`, `host:port`, `*.host`, `[v6]:port`; without a port 443 and 80 are meant. */
  readonly allowedHosts: readonly string[];
  /** This project's own API, which is let through unvetted; `accept` takes the connection if this process serves it. */
  readonly api: { readonly host: string; readonly port: number; accept?(socket: Socket): boolean };
  /** Hosts that the operator allows although their addresses are not public; without a port all are meant. */
  readonly privateHosts: readonly string[];
  /** Called when a connection ends, with the bytes that it carried, TLS and all; not for those to the API. */
  onCarried(sentBytes: number, receivedBytes: number): void;
  /** Called once for each destination that is refused. */
  onRefused(destination: string, why: string): void;
}

/**
 * The only way out of a jail. Names are answered with stand-ins from 127.64.0.0/10, which are local to every loopback
 * device; a connection to one arrives at a door with the stand-in as its local address, so it is known which name was
 * meant. The name is resolved here, every address that it has must be public, and the address that was checked is the
 * one that is dialled: neither a name that leads inside nor one that changes between check and use gets through.
 * TLS is between the function and its peer; we only carry it.
 */
export class Egress {
  readonly #declared: DeclaredHosts;
  readonly #private: DeclaredHosts;
  readonly #standIns = new Map<string, string>();
  readonly #names = new Map<string, string>();
  readonly #refused = new Set<string>();
  #connections = 0;

  constructor(
    private readonly rules: EgressRules,
    private readonly doors: readonly Server[],
  ) {
    this.#declared = new DeclaredHosts(rules.allowedHosts);
    this.#private = new DeclaredHosts(rules.privateHosts, null);
  }

  listen(): void {
    for (const door of this.doors) door.on('connection', (socket) => this.#onConnection(socket));
  }

  #onConnection(socket: Socket): void {
    socket.on('error', () => {});
    const port = socket.localPort;
    const address = socket.localAddress?.replace(/^::ffff:/, '');
    if (address === undefined || port === undefined) return void socket.destroy();
    if (port === nameServerPort) return answerNames(socket, (name) => this.#standInFor(name));
    const host = this.#names.get(address) ?? address;
    const { api } = this.rules;
    if (host === api.host && port === api.port) {
      if (!api.accept?.(socket)) void this.#carry(socket, [api.host], port, false);
      return;
    }
    void this.#connect(socket, host, port);
  }

  async #connect(socket: Socket, host: string, port: number): Promise<void> {
    if (!this.#declared.permits(host, port)) {
      return this.#refuse(socket, `${host}:${port}`, 'it is not among permissions.hosts');
    }
    if (this.#connections >= limits.egressConnections) {
      return this.#refuse(
        socket,
        `${host}:${port}`,
        `more than ${limits.egressConnections} connections are open`,
      );
    }
    const addresses = await addressesOf(host);
    if (!this.#private.permits(host, port) && !addresses.every(isPublicAddress)) {
      return this.#refuse(socket, `${host}:${port}`, 'it has an address that is not public');
    }
    await this.#carry(socket, addresses, port, true);
  }

  /** Carries bytes both ways until both ends are done. */
  async #carry(
    socket: Socket,
    addresses: readonly string[],
    port: number,
    isCounted: boolean,
  ): Promise<void> {
    this.#connections += 1;
    const peer = await firstToAnswer(addresses, port);
    if (!peer || socket.destroyed) {
      this.#connections -= 1;
      peer?.destroy();
      return void socket.resetAndDestroy();
    }
    const done = () => {
      if (socket.destroyed && peer.destroyed) return;
      socket.destroy();
      peer.destroy();
    };
    peer.once('close', () => {
      this.#connections -= 1;
      if (isCounted) this.rules.onCarried(peer.bytesWritten, peer.bytesRead);
    });
    pipeline(socket, peer, (error) => error && done());
    pipeline(peer, socket, (error) => error && done());
  }

  #standInFor(name: string): string | null {
    const isApi = name === this.rules.api.host;
    if (!isApi && !this.#declared.permitsName(name)) {
      this.#tellRefused(name, 'it is not among permissions.hosts');
      return null;
    }
    const known = this.#standIns.get(name);
    if (known !== undefined) return known;
    if (this.#standIns.size >= limits.egressNames) return null;
    const number = this.#standIns.size + 1;
    const standIn = `127.64.${number >> 8}.${number & 255}`;
    this.#standIns.set(name, standIn);
    this.#names.set(standIn, name);
    return standIn;
  }

  #refuse(socket: Socket, destination: string, why: string): void {
    socket.resetAndDestroy();
    this.#tellRefused(destination, why);
  }

  #tellRefused(destination: string, why: string): void {
    if (this.#refused.has(destination) || this.#refused.size >= limits.egressRefusalsTold) return;
    this.#refused.add(destination);
    this.rules.onRefused(destination, why);
  }
}

async function addressesOf(host: string): Promise<string[]> {
  if (isIP(host) > 0) return [host];
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    return [];
  }
}

async function firstToAnswer(addresses: readonly string[], port: number): Promise<Socket | null> {
  for (const host of addresses) {
    const socket = await dial(host, port);
    if (socket) return socket;
  }
  return null;
}

function dial(host: string, port: number): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
    socket.setTimeout(limits.egressConnectMs, () => socket.destroy());
    socket.once('connect', () => {
      socket.setTimeout(0);
      resolve(socket);
    });
    socket.on('error', () => {});
    socket.once('close', () => resolve(null));
  });
}
