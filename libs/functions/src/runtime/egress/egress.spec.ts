import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { streamDecode, streamEncode } from 'dns-packet';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { runtimeLimits as limits } from '../runtime-limits.js';
import { Egress, nameServerPort, type EgressRules } from './egress.js';

/** A door on all addresses of this host, as a jail has on all of its own; and a server behind, at the same port. */
let door: Server;
let inside: Server;
let port: number;
let reached: Socket[];
let refusals: string[];
let carried: [sent: number, received: number][];
let resolved: string[];
let egress: Egress | null;
let asking: Server | null;
const clients: Socket[] = [];
const howToAllow = 'the operator can allow it with GALLEY_PRIVATE_HOSTS';

beforeEach(async () => {
  [reached, refusals, carried, resolved, egress, asking] = [[], [], [], [], null, null];
  inside = createServer((socket) => {
    reached.push(socket.on('error', () => {}));
    socket.on('data', (chunk) => socket.write(chunk));
  });
  await once(inside.listen(0, '127.0.0.9'), 'listening');
  port = (inside.address() as AddressInfo).port;
  door = createServer({ allowHalfOpen: true });
  await once(door.listen(port, '127.64.0.1'), 'listening');
});

afterEach(() => {
  egress?.close();
  for (const socket of [...clients.splice(0), ...reached]) socket.destroy();
  for (const server of [door, inside, asking]) server?.close();
});

function open(
  rules: Partial<EgressRules>,
  addressesOf: (name: string) => string[] | Promise<string[]> = () => [],
): Egress {
  egress = new Egress(
    {
      allowedHosts: [],
      api: { host: 'api.test', port: 1 },
      privateHosts: [],
      onCarried: (sent, received) => carried.push([sent, received]),
      onRefused: (destination, why) => refusals.push(`${destination}: ${why}`),
      ...rules,
    },
    { doors: [door], datagrams: null },
    async (name) => {
      resolved.push(name);
      return addressesOf(name);
    },
  );
  egress.listen();
  return egress;
}

/** Asks for a name as a function does, at a door whose port is that of a name server. @returns the stand-in. */
async function ask(name: string): Promise<string | null> {
  if (!asking) {
    asking = createServer((socket) => {
      Object.defineProperty(socket, 'localPort', { value: nameServerPort });
      door.emit('connection', socket);
    });
    await once(asking.listen(0, '127.0.0.1'), 'listening');
  }
  const socket = connect((asking.address() as AddressInfo).port, '127.0.0.1');
  clients.push(socket);
  socket.write(streamEncode({ type: 'query', id: 1, questions: [{ type: 'A', name }] }));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  const [first] = (streamDecode(answer).answers ?? []) as { data?: string }[];
  return first?.data ?? null;
}

/** Connects to a stand-in as a function does. @returns what it reads first, or the code of the error. */
function talk(address: string, words = 'hello'): Promise<string> {
  const socket = dial(address);
  socket.write(words);
  return new Promise((resolve) => {
    socket.once('data', (chunk: Buffer) => resolve(chunk.toString()));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code!));
    socket.once('end', () => resolve('ended'));
  });
}

function dial(address: string): Socket {
  const socket = connect({ host: address, port, allowHalfOpen: true });
  clients.push(socket);
  return socket.on('error', () => {});
}

describe('egress', () => {
  it('carries to a declared host what may be private because the operator says so, and counts it', async () => {
    open({ allowedHosts: [`localhost:${port}`], privateHosts: [`localhost:${port}`] });
    inside.close();
    const local = createServer((socket) => {
      reached.push(socket);
      socket.pipe(socket);
    });
    await once(local.listen(port, '127.0.0.1'), 'listening');
    expect(await ask('localhost')).toBe('127.64.0.1');
    expect(await talk('127.64.0.1')).toBe('hello');
    clients.at(-1)!.end();
    await once(clients.at(-1)!, 'close');
    expect(carried).toEqual([[5, 5]]);
    local.close();
  });

  it('tells no address of a name that is not declared, and who asks is told once', async () => {
    open({ allowedHosts: ['known.test'] });
    expect(await ask('other.test')).toBeNull();
    expect(await ask('OTHER.test.')).toBeNull();
    expect(refusals).toEqual(['other.test: it is not among permissions.hosts']);
    expect(resolved).toEqual([]);
  });

  it('tells nothing that a log would act on', async () => {
    open({ allowedHosts: ['*.known.test'] });
    expect(await ask('a\n\u001b[2Jfake log line.known.test')).toBeNull();
    expect(refusals).toEqual([]);
  });

  it.each([
    ['IPv4 in IPv6', ['::ffff:127.0.0.9']],
    ['loopback', ['127.0.0.9']],
    ['IPv6 loopback', ['::1']],
    ['this host', ['0.0.0.0']],
    ['a private network', ['10.0.0.5']],
    ['link-local, where clouds keep credentials', ['169.254.169.254']],
    ['unique local, where clouds keep credentials', ['fd00:ec2::254']],
    ['link-local IPv6', ['fe80::1']],
    ['NAT64', ['64:ff9b::7f00:9']],
    ['6to4', ['2002:7f00:9::1']],
    ['one public and one that is not', ['93.184.216.34', '127.0.0.9']],
  ])('refuses a declared name that leads to %s', async (_what, addresses) => {
    open({ allowedHosts: [`evil.test:${port}`] }, () => addresses);
    expect(await talk((await ask('evil.test'))!)).toBe('ECONNRESET');
    expect(refusals).toEqual([`evil.test:${port}: it has an address that is not public; ${howToAllow}`]);
    expect(reached).toEqual([]);
  });

  it('refuses a private address that is declared as such', async () => {
    open({ allowedHosts: [`127.64.0.1:${port}`] });
    expect(await talk('127.64.0.1')).toBe('ECONNRESET');
    expect(refusals).toEqual([`127.64.0.1:${port}: it has an address that is not public; ${howToAllow}`]);
  });

  it('dials the address that was checked: a name that changes meanwhile gains nothing', async () => {
    const answers = [['93.184.216.34'], ['127.0.0.9']];
    open({ allowedHosts: [`flips.test:${port}`] }, () => answers[resolved.length - 1]!);
    const standIn = (await ask('flips.test'))!;
    const first = dial(standIn);
    await once(first, 'connect');
    // What is dialled first is far away; that it is not this host is all that counts.
    first.destroy();
    expect(await talk(standIn)).toBe('ECONNRESET');
    expect(resolved).toEqual(['flips.test', 'flips.test']);
    expect(reached).toEqual([]);
  });

  it('refuses another port of a declared host', async () => {
    open({ allowedHosts: [`known.test:${port + 1}`] }, () => ['93.184.216.34']);
    expect(await talk((await ask('known.test'))!)).toBe('ECONNRESET');
    expect(resolved).toEqual([]);
  });

  it('refuses the number of a stand-in that stands for nothing', async () => {
    open({ allowedHosts: ['*.known.test'] });
    expect(await talk('127.64.0.1')).toBe('ECONNRESET');
    expect(refusals).toEqual([`127.64.0.1:${port}: it is not among permissions.hosts`]);
  });

  it('resets a connection to a declared name that has no address', async () => {
    open({ allowedHosts: [`nowhere.test:${port}`] });
    expect(await talk((await ask('nowhere.test'))!)).toBe('ECONNRESET');
  });

  it('knows that a jail calls 127.0.0.1 localhost as well', async () => {
    await once(door.close(), 'close');
    await once(door.listen(port, '127.0.0.1'), 'listening');
    const taken: Socket[] = [];
    open({ api: { host: 'localhost', port, accept: (socket) => taken.push(socket) > 0 } });
    await once(dial('127.0.0.1'), 'connect');
    while (taken.length === 0) await new Promise(setImmediate);
    expect(refusals).toEqual([]);
  });

  it('gives what is for the API to whoever takes it, and leads it there otherwise', async () => {
    const taken: Socket[] = [];
    const api = { host: '127.64.0.1', port, accept: (socket: Socket) => taken.push(socket) > 0 };
    open({ api });
    await once(dial('127.64.0.1'), 'connect');
    while (taken.length === 0) await new Promise(setImmediate);
    expect(refusals).toEqual([]);
  });

  it('stands in for so many names and no more', async () => {
    open({ allowedHosts: ['*.wild.test'] });
    const standIns = new Set<string | null>();
    for (let n = 0; n < limits.egressNames; n += 1) standIns.add(await ask(`n${n}.wild.test`));
    expect(standIns.size).toBe(limits.egressNames);
    expect(await ask('one-more.wild.test')).toBeNull();
    expect(await ask('n0.wild.test')).toBe('127.64.0.1');
  });

  it('counts connections that wait for a name server, so that a slow one cannot be used to have more', async () => {
    open({ allowedHosts: [`slow.test:${port}`] }, () => new Promise(() => {}));
    const standIn = (await ask('slow.test'))!;
    for (let n = 0; n < limits.egressConnections; n += 1) await once(dial(standIn), 'connect');
    expect(await talk(standIn)).toBe('ECONNRESET');
    expect(refusals).toEqual([
      `slow.test:${port}: more than ${limits.egressConnections} connections are open`,
    ]);
  });

  it('ends its connections with the process, whatever their other ends do', async () => {
    const led = open({ allowedHosts: [`localhost:${port}`], privateHosts: [`localhost:${port}`] });
    inside.close();
    const silent = createServer({ allowHalfOpen: true }, (socket) => reached.push(socket));
    await once(silent.listen(port, '127.0.0.1'), 'listening');
    dial((await ask('localhost'))!);
    const [peer] = (await once(silent, 'connection')) as [Socket];
    peer.on('error', () => {}).resume();
    clients.at(-1)!.destroy();
    await once(peer, 'end');
    expect(carried).toEqual([]);
    led.close();
    while (carried.length === 0) await new Promise(setImmediate);
    silent.close();
  });
});
