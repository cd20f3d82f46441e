import {
  addressesInHosts,
  addressesOfName,
  DeclaredHosts,
  isHostName,
  isPublicAddress,
} from '#libs/platform';
import type { Socket as DatagramSocket } from 'node:dgram';
import { connect, isIP, type Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { runtimeLimits as limits } from '../runtime-limits.js';
import type { EgressSecret } from './egress-secrets.js';
import { answerDatagrams, answerNames } from './name-server.js';
import { destinationOf, notDeclared, notPublic } from './refusal.js';
import type { SecretRelay } from './secret-relay.js';

/** Of both UDP and TCP (RFC 1035 §4.2). */
export const nameServerPort = 53;

/** Where a function may connect to. */
export interface EgressRules {
  /** `host`, `host:port`, `*.host`, `[v6]:port`; without a port 443 and 80 are meant. */
  readonly allowedHosts: readonly string[];
  /** This project's own API, which is let through unvetted; `accept` takes the connection if this process serves it. */
  readonly api: { readonly host: string; readonly port: number; accept?(socket: Socket): boolean };
  /** At 127.0.0.1: takes connections to the project's database. */
  readonly database?: { readonly port: number; accept(socket: Socket): void } | undefined;
  /** Hosts that the operator allows although their addresses are not public; without a port all are meant. */
  readonly privateHosts: readonly string[];
  /** What is put into requests to which of the allowed hosts, and by whom. */
  readonly secrets?: { readonly used: readonly EgressSecret[]; readonly relay: SecretRelay };
  /** Called when a connection ends, with the bytes that it carried, TLS and all; not for those to the API. */
  onCarried(sentBytes: number, receivedBytes: number): void;
  /** Called once for each destination that is refused, `host` or `host:port`. */
  onRefused(destination: string, why: string): void;
}

/**
 * The only way out of a jail. Names are answered with stand-ins from 127.64.0.0/10, which are local to every loopback
 * device; a connection to one arrives at a door with the stand-in as its local address, so it is known which name was
 * meant. The name is resolved here, every address that it has must be public, and the address that was checked is the
 * one that is dialled: neither a name that leads inside nor one that changes between check and use gets through.
 * TLS is between the function and its peer, and we only carry it, save where the function uses secrets that it does
 * not hold: those connections are led through {@link SecretRelay}.
 */
export class Egress {
  readonly #declared: DeclaredHosts;
  readonly #private: DeclaredHosts;
  readonly #standIns = new Map<string, string>();
  readonly #names = new Map<string, string>();
  readonly #refused = new Set<string>();
  /** Connections, from the jail and on to the world. */
  readonly #open = new Set<Socket>();
  /** Those that are led further, until the other end is gone as well. */
  #connections = 0;

  /** @param addressesOf asks for the addresses of a name that may be anybody's; none when there are none */
  constructor(
    private readonly rules: EgressRules,
    private readonly entrances: {
      readonly doors: readonly Server[];
      readonly datagrams: DatagramSocket | null;
    },
    private readonly addressesOf: (name: string) => Promise<string[]> = addressesOfName,
  ) {
    this.#declared = new DeclaredHosts(rules.allowedHosts);
    this.#private = new DeclaredHosts(rules.privateHosts, null);
  }

  listen(): void {
    const { doors, datagrams } = this.entrances;
    for (const door of doors) door.on('connection', (socket) => this.#onConnection(socket));
    if (datagrams) answerDatagrams(datagrams, (name) => this.#standInFor(name));
  }

  /** To be called when the process has ended: its peers may hold their ends of connections for as long as they like. */
  close(): void {
    for (const socket of this.#open) socket.destroy();
  }

  /**
   * Tells of a connection that came to no door: where nothing is declared there is none.
   * @param destination `host port`, the function's own claim
   */
  onRefused(destination: string): void {
    const [, claimed = '', digits] = /^(\S+) (\d{1,5})$/.exec(destination) ?? [];
    const address = claimed.replace(/^::ffff:/, '').toLowerCase();
    const [host, port] = [this.#names.get(address) ?? address, Number(digits)];
    if (isIP(host) === 0 && !isHostName(host)) return;
    if (!this.#permits(host, port)) this.#tellRefused(destinationOf(host, port), notDeclared);
  }

  #onConnection(socket: Socket): void {
    socket.on('error', () => {});
    this.#keep(socket);
    const port = socket.localPort;
    const address = socket.localAddress?.replace(/^::ffff:/, '');
    if (address === undefined || port === undefined) return void socket.destroy();
    if (port === nameServerPort) return answerNames(socket, (name) => this.#standInFor(name));
    const { database } = this.rules;
    if (database?.port === port && address === '127.0.0.1') return database.accept(socket);
    const known = this.#names.get(address) ?? address;
    // As a jail's hosts file says; the name server is not asked for it.
    const isLocalhost =
      known === '127.0.0.1' && !this.#permits(known, port) && this.#permits('localhost', port);
    const host = isLocalhost ? 'localhost' : known;
    const isApi = this.#isApi(host, port);
    if (isApi && this.rules.api.accept?.(socket)) return;
    void this.#lead(socket, host, port, isApi);
  }

  #keep(socket: Socket): void {
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
  }

  #isApi(host: string, port: number): boolean {
    const { api } = this.rules;
    return host === api.host && port === api.port;
  }

  #permits(host: string, port: number): boolean {
    return this.#isApi(host, port) || this.#declared.permits(host, port);
  }

  /** @param isApi it may have any address */
  async #lead(socket: Socket, host: string, port: number, isApi: boolean): Promise<void> {
    const destination = destinationOf(host, port);
    if (!this.#permits(host, port)) {
      return this.#refuse(socket, destination, notDeclared);
    }
    if (this.#connections >= limits.egressConnections) {
      return this.#refuse(socket, destination, `more than ${limits.egressConnections} connections are open`);
    }
    this.#connections += 1;
    try {
      await this.#vet(socket, host, port, isApi);
    } finally {
      this.#connections -= 1;
    }
  }

  async #vet(socket: Socket, host: string, port: number, isApi: boolean): Promise<void> {
    const isPrivate = isApi || this.#private.permits(host, port);
    const addresses = isIP(host) > 0 ? [host] : await (isPrivate ? addressesInHosts : this.addressesOf)(host);
    if (!isPrivate && !addresses.every(isPublicAddress)) {
      return this.#refuse(socket, destinationOf(host, port), notPublic);
    }
    const peer = await firstToAnswer(addresses, port, socket);
    if (!peer) return void socket.resetAndDestroy();
    this.#keep(peer);
    const ended = new Promise((resolve) => peer.once('close', resolve));
    if (socket.destroyed) peer.destroy();
    else if (isApi || !this.#relay(socket, peer, host, port)) carry(socket, peer);
    await ended;
    if (!isApi) this.rules.onCarried(peer.bytesWritten, peer.bytesRead);
  }

  /** Where secrets are used, who puts them in takes the connection. */
  #relay(socket: Socket, peer: Socket, host: string, port: number): boolean {
    const { used = [], relay } = this.rules.secrets ?? {};
    const secrets = used.filter(({ hosts }) => new DeclaredHosts(hosts).permits(host, port));
    if (!relay || secrets.length === 0) return false;
    const onUnverified = (why: string) => this.#tellRefused(`${host}:${port}`, why);
    relay.join(socket, peer, { host, port, secrets, onUnverified }).catch(() => socket.destroy());
    return true;
  }

  #standInFor(name: string): string | null {
    if (!isHostName(name)) return null;
    const isApi = name === this.rules.api.host;
    if (!isApi && !this.#declared.permitsName(name)) {
      this.#tellRefused(name, notDeclared);
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

/** Carries bytes both ways. */
function carry(socket: Socket, peer: Socket): void {
  // What was sent before still arrives.
  socket.once('close', () => peer.destroySoon());
  pipeline(socket, peer, (error) => error && peer.destroy());
  pipeline(peer, socket, (error) => error && socket.destroy());
}

/** @param asker gives up when it is closed */
async function firstToAnswer(
  addresses: readonly string[],
  port: number,
  asker: Socket,
): Promise<Socket | null> {
  for (const host of addresses) {
    const socket = asker.destroyed ? null : await dial(host, port, asker);
    if (socket) return socket;
  }
  return null;
}

function dial(host: string, port: number, asker: Socket): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
    const giveUp = () => socket.destroy();
    const onFailure = () => {
      asker.off('close', giveUp);
      resolve(null);
    };
    asker.once('close', giveUp);
    socket.setTimeout(limits.egressConnectMs, giveUp);
    socket.once('connect', () => {
      socket.setTimeout(0);
      asker.off('close', giveUp);
      // Node warns of more than ten listeners, and those who carry its bytes have nine.
      socket.off('close', onFailure);
      resolve(socket);
    });
    socket.on('error', () => {});
    socket.once('close', onFailure);
  });
}
