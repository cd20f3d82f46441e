import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connect } from 'node:net';
import { WebSocket, type CloseEvent } from 'undici';
import { InstancePool } from '../../libs/functions/src/instances/instance-pool.js';
import { eventually } from '../support/eventually.js';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';

const echo = `Deno.serve((request) => {
  const path = new URL(request.url).pathname;
  if (request.headers.get('upgrade') !== 'websocket') return new Response('plain');
  if (path.endsWith('/refused')) return new Response('not you', { status: 403 });
  const protocol = request.headers.get('sec-websocket-protocol')?.split(', ').find((name) => name === 'chat');
  const who = request.headers.get('authorization') ?? 'nobody';
  const { socket, response } = Deno.upgradeWebSocket(request, { protocol });
  socket.onopen = () => path.endsWith('/greet') && socket.send('hello');
  socket.onmessage = ({ data }) => {
    if (data === 'close') socket.close(4001, 'as you wish');
    else if (data === 'pid') socket.send(String(Deno.pid));
    else if (data === 'who') socket.send(who);
    else if (data === 'loop') for (;;);
    else socket.send(data);
  };
  socket.onclose = ({ code, reason }) => console.log('closed', code, reason);
  return response;
});`;

interface Client {
  readonly socket: WebSocket;
  next(): Promise<unknown>;
  readonly closed: Promise<CloseEvent>;
}

/** A WebSocket as a browser opens it; rejects when it does not open. */
async function open(url: string, protocols: string[] = []): Promise<Client> {
  const socket = new WebSocket(url.replace('http:', 'ws:'), { protocols });
  socket.binaryType = 'arraybuffer';
  const received: unknown[] = [];
  let arrived = () => {};
  socket.addEventListener('message', ({ data }) => {
    received.push(data);
    arrived();
  });
  const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener('close', resolve));
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve());
    socket.addEventListener('error', ({ message }) => reject(new Error(message)));
  });
  return {
    socket,
    closed,
    async next() {
      while (received.length === 0) await new Promise<void>((resolve) => (arrived = resolve));
      return received.shift();
    },
  };
}

describe('a WebSocket to a function', () => {
  let server: FunctionsServer;
  let url: string;
  beforeAll(async () => {
    server = await startFunctionsServer();
    await server.deploy('echo', echo, { concurrency: 5, max_instances: 1 });
    url = `${server.url}/functions/v1/echo`;
  });
  afterAll(() => server.close());

  const key = () => [`jwt-${server.keys.publishableKey}`, 'chat'];

  it('carries texts and bytes both ways, large ones too', async () => {
    const client = await open(`${url}/greet?apikey=${server.keys.publishableKey}`);
    expect(await client.next()).toBe('hello');
    client.socket.send('ünïcode');
    expect(await client.next()).toBe('ünïcode');
    const large = Buffer.alloc(5 * 1024 * 1024, 'galley');
    client.socket.send(large);
    expect(Buffer.from((await client.next()) as ArrayBuffer).equals(large)).toBe(true);
    for (let i = 0; i < 500; i++) client.socket.send(String(i));
    for (let i = 0; i < 500; i++) expect(await client.next()).toBe(String(i));
    client.socket.close(1000, 'done');
    expect(await client.closed).toMatchObject({ code: 1000, reason: 'done' });
  });

  it('takes the token from a protocol, as a browser can send it, and the function sees it', async () => {
    const token = server.project.tokens.sign({ role: 'authenticated', sub: 'u' }, 60);
    const client = await open(url, [`jwt-${token}`, 'chat']);
    expect(client.socket.protocol).toBe('chat');
    client.socket.send('who');
    expect(await client.next()).toBe(`Bearer ${token}`);
    client.socket.close();
    await client.closed;
    // One who offers nothing else is answered the protocol with the token: browsers insist on one.
    const [only] = key();
    const other = await open(url, [only!]);
    expect(other.socket.protocol).toBe(only);
    other.socket.close();
    await other.closed;
  });

  it('keeps the secret key of its client from a function that does not declare it', async () => {
    await server.deploy(
      'curious',
      `Deno.serve((request) => {
        const offered = request.headers.get('sec-websocket-protocol')?.split(', ') ?? [];
        const seen = JSON.stringify([request.url, request.headers.get('authorization'), ...offered]);
        const { socket, response } = Deno.upgradeWebSocket(request, { protocol: offered[0] });
        socket.onopen = () => socket.send(seen);
        return response;
      });`,
    );
    const { secretKey } = server.keys;
    const curious = `${server.url}/functions/v1/curious`;
    for (const client of [
      await open(`${curious}?apikey=${secretKey}`),
      await open(curious, [`jwt-${secretKey}`, 'chat']),
    ]) {
      const seen = (await client.next()) as string;
      expect(seen).toMatch(/eyJ.*eyJ/);
      expect(seen).not.toContain(secretKey);
      client.socket.close();
      await client.closed;
    }
  });

  it('is refused without a good token, and by a function that does not want it, in plain HTTP', async () => {
    const ask = (path: string, headers: Record<string, string> = {}) => rawUpgrade(server.url, path, headers);
    expect(await ask('/functions/v1/echo')).toMatch(/^HTTP\/1.1 401 [^]*UNAUTHORIZED_NO_AUTH_HEADER/);
    expect(await ask('/functions/v1/echo', { 'Sec-WebSocket-Protocol': 'jwt-nonsense' })).toMatch(
      /^HTTP\/1.1 401 [^]*UNAUTHORIZED_INVALID_JWT_FORMAT/,
    );
    const good = { 'Sec-WebSocket-Protocol': key().join(', ') };
    expect(await ask('/functions/v1/echo/refused', good)).toMatch(
      /^HTTP\/1.1 403 [^]*connection: close[^]*not you/i,
    );
    expect(await ask('/functions/v1/nobody', good)).toMatch(/^HTTP\/1.1 404 [^]*NOT_FOUND/);
    expect(await ask('/rest/v1/')).toMatch(/^HTTP\/1.1 [45]/);
  });

  it('passes the close codes of the function', async () => {
    const client = await open(url, key());
    client.socket.send('close');
    expect(await client.closed).toMatchObject({ code: 4001, reason: 'as you wish', wasClean: true });
  });

  it('answers pings', async () => {
    const answer = await rawUpgrade(
      server.url,
      '/functions/v1/echo',
      { 'Sec-WebSocket-Protocol': key().join(', ') },
      [Buffer.from([0x89, 0x82, 0, 0, 0, 0, 0x68, 0x69]), Buffer.from([0x88, 0x80, 0, 0, 0, 0])],
    );
    expect(answer).toMatch(/^HTTP\/1.1 101 [^]*x-request-id: /);
    expect(answer).toContain('\r\n\r\n\x8a\x02hi');
  });

  it('is closed with 1006 soon after its process was killed, and the next one works', async () => {
    const client = await open(url, key());
    client.socket.send('pid');
    process.kill(Number(await client.next()), 'SIGKILL');
    expect(await client.closed).toMatchObject({ code: 1006 });
    // The connection may be seen to break a moment before the end of the process is.
    const next = await eventually(() => open(`${url}/greet`, key()).catch(() => undefined));
    expect(await next.next()).toBe('hello');
    next.socket.close();
    await next.closed;
  });

  it('is one invocation, which ends with it and is recorded then', async () => {
    await server.deploy('counted', echo);
    const client = await open(`${server.url}/functions/v1/counted`, key());
    client.socket.send('pid');
    await client.next();
    client.socket.close();
    await client.closed;
    const [record] = await server.invocationsOf('counted', 1);
    expect(record).toMatchObject({ status: 'succeeded', http_status: 101, error: null });
    const gone = await open(`${server.url}/functions/v1/counted`, key());
    gone.socket.send('pid');
    process.kill(Number(await gone.next()), 'SIGKILL');
    await gone.closed;
    const records = await server.invocationsOf('counted', 2);
    expect(records.map(({ status }) => status).toSorted()).toEqual(['failed', 'succeeded']);
  });

  it('ends at its time limit, and its client is told', async () => {
    await server.deploy('brief', echo, { websocket_timeout_ms: 400, timeout_ms: 100 });
    const client = await open(`${server.url}/functions/v1/brief`, key());
    expect(await client.closed).toMatchObject({ code: 1001 });
    const busy = await open(`${server.url}/functions/v1/brief`, key());
    busy.socket.send('loop');
    expect(await busy.closed).toMatchObject({ code: 1001 });
    const records = await server.invocationsOf('brief', 2);
    expect(records.every(({ error }) => error?.startsWith('IDLE_TIMEOUT'))).toBe(true);
  });

  it('keeps its instance while it is open, and gives it back when its client is gone without a word', async () => {
    await server.deploy('held', echo, { max_instances: 1 });
    const client = await open(`${server.url}/functions/v1/held`, key());
    const call = server.call('held');
    client.socket.send('still here');
    expect(await client.next()).toBe('still here');
    expect(server.get(InstancePool).statistics().waiting).toBe(1);
    client.socket.close();
    expect(await (await call).text()).toBe('plain');
    const raw = connect(Number(new URL(server.url).port), '127.0.0.1');
    raw.write(upgradeHead('/functions/v1/held', { 'Sec-WebSocket-Protocol': key().join(', ') }));
    await new Promise((resolve) => raw.once('data', resolve));
    raw.resetAndDestroy();
    expect(await (await server.call('held')).text()).toBe('plain');
    const records = await server.invocationsOf('held', 4);
    expect(records.map(({ error }) => error)).toEqual([null, null, null, null]);
  });

  it('is not offered what it did not ask for: other protocols are ignored', async () => {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    const head = [
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA',
    ];
    const auth = `Authorization: Bearer ${server.keys.publishableKey}`;
    socket.write(
      `POST /functions/v1/upper HTTP/1.1\r\nHost: a\r\n${head.join('\r\n')}\r\n${auth}\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\nhello`,
    );
    await server.deploy('upper', 'Deno.serve(async (r) => new Response((await r.text()).toUpperCase()));');
    socket.write('world');
    const answers: string[] = [];
    socket.setEncoding('latin1').on('data', (text: string) => answers.push(text));
    await eventually(() => answers.join('').includes('HELLOWORLD') || answers.join('').includes('NOT_FOUND'));
    // The connection goes on, with the next request.
    socket.write(`GET /functions/v1/upper HTTP/1.1\r\nHost: a\r\n${auth}\r\n\r\n`);
    await eventually(() => answers.join('').split('HTTP/1.1 ').length === 3);
    socket.destroy();
  });
});

it('A server that stops tells open WebSockets to come again, and does not wait for them', async () => {
  const server = await startFunctionsServer();
  await server.deploy('echo', echo, { verify_jwt: false });
  const client = await open(`${server.url}/functions/v1/echo/greet`);
  expect(await client.next()).toBe('hello');
  const began = performance.now();
  await server.close();
  expect(await client.closed).toMatchObject({ code: 1012 });
  expect(performance.now() - began).toBeLessThan(10_000);
});

function upgradeHead(path: string, headers: Record<string, string>): string {
  const all = {
    Host: 'api.test',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** Asks for a WebSocket by hand, sends `frames` right behind, and gives all that is answered. */
function rawUpgrade(
  url: string,
  path: string,
  headers: Record<string, string>,
  frames: Buffer[] = [],
): Promise<string> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    let answer = '';
    socket.setEncoding('latin1').on('data', (text: string) => (answer += text));
    socket.on('error', reject).on('close', () => resolve(answer));
    socket.write(Buffer.concat([Buffer.from(upgradeHead(path, headers)), ...frames]));
  });
}
