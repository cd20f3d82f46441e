import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { connect, type Socket } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { InstancePool } from '../../libs/functions/src/instances/instance-pool.js';
import { limits } from '../../libs/functions/src/limits.js';
import { eventually } from '../support/eventually.js';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';

let server: FunctionsServer;
let pool: InstancePool;
beforeAll(async () => {
  server = await startFunctionsServer();
  pool = server.get(InstancePool);
});
afterAll(() => server.close());

/** Begins an upload to a function and leaves it unfinished. */
async function beginUpload(slug: string): Promise<Socket> {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  const head = [
    `POST /functions/v1/${slug} HTTP/1.1`,
    `Host: ${hostname}`,
    `Authorization: Bearer ${server.keys.publishableKey}`,
    'Content-Type: text/plain',
    'Content-Length: 1000000',
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\nhello`);
  return socket;
}

const waiting = (slug: string, count: number) => async () => {
  await server.manage('GET', `/invocations?function=${slug}`);
  return pool.statistics().waiting === count;
};

describe('a client that goes away in the middle of its upload harms nobody', () => {
  it('while its instance starts', async () => {
    await server.deploy(
      'slow-start',
      `await new Promise((r) => setTimeout(r, 600)); Deno.serve(async (r) => new Response(await r.text()));`,
    );
    const upload = await beginUpload('slow-start');
    await eventually(waiting('slow-start', 1));
    upload.destroy();
    await eventually(waiting('slow-start', 0));
    expect(await (await server.call('slow-start', { method: 'POST', body: 'whole' })).text()).toBe('whole');
  });

  it('while it waits in line', async () => {
    await server.deploy('crowded', `Deno.serve(async (r) => new Response(await r.text()));`, {
      max_instances: 1,
    });
    const first = await beginUpload('crowded');
    await eventually(() => pool.statistics().busy === 1);
    const second = await beginUpload('crowded');
    await eventually(waiting('crowded', 1));
    second.destroy();
    await eventually(waiting('crowded', 0));
    first.destroy();
    expect(await (await server.call('crowded', { method: 'POST', body: 'whole' })).text()).toBe('whole');
  });
});

it('clients that leave before their calls have begun hold no instance', async () => {
  await server.deploy('fleeting', `Deno.serve(async (r) => new Response(await r.text()));`, {
    max_instances: 2,
    timeout_ms: 4000,
  });
  await server.call('fleeting');
  for (let round = 0; round < 10; round++) {
    const calls = Array.from({ length: 12 }, (_, index) => {
      const body = index % 2 === 0 ? { method: 'POST', body: 'x'.repeat(100_000) } : {};
      return server.call('fleeting', { ...body, signal: AbortSignal.timeout(1 + (index % 3)) });
    });
    await Promise.allSettled(calls);
  }
  await eventually(() => pool.statistics().busy === 0, { within: 2000, what: 'their end' });
  expect(await (await server.call('fleeting', { method: 'POST', body: 'whole' })).text()).toBe('whole');
  const invocations = await server.invocationsOf('fleeting', 2);
  expect(invocations.filter(({ error }) => error?.includes('IDLE_TIMEOUT'))).toEqual([]);
});

it('clients that announce a body and send none hold no instance, and are told so in the end', async () => {
  await server.deploy('awaiting', `Deno.serve(async (r) => new Response(await r.text()));`, {
    max_instances: 1,
  });
  const { hostname, port } = new URL(server.url);
  const idle = ['', 'hell', ''].map((sent, index) => {
    const socket = connect(Number(port), hostname);
    const length = index < 2 ? 'Content-Length: 5' : 'Transfer-Encoding: chunked';
    const head = `POST /functions/v1/awaiting HTTP/1.1\r\nHost: galley\r\nAuthorization: Bearer ${server.keys.anonKey}`;
    socket.write(`${head}\r\n${length}\r\n\r\n${sent}`);
    return readText(socket);
  });
  const half = await beginUpload('awaiting');
  await eventually(() => pool.statistics().busy === 1);
  half.destroy();
  for (let round = 0; round < 3; round++)
    expect(await (await server.call('awaiting', { method: 'POST', body: 'whole' })).text()).toBe('whole');
  expect(await (await server.call('awaiting', { method: 'POST', body: '' })).text()).toBe('');
  await eventually(() => pool.statistics().busy === 0);
  for (const answer of await Promise.all(idle)) {
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain('"code":"REQUEST_TIMEOUT"');
  }
}, 30_000);

describe('a client that pauses in the middle of its upload', () => {
  let restore = () => {};
  const allow = (bodyIdleMs: number) => {
    const replaced = jest.replaceProperty(limits, 'bodyIdleMs', bodyIdleMs as never);
    restore = () => replaced.restore();
  };
  afterEach(() => restore());

  it('is told that it was too long, and its instance serves others', async () => {
    await server.deploy('stalled', `Deno.serve(async (r) => new Response(await r.text()));`, {
      max_instances: 1,
    });
    allow(300);
    const answer = await readText(await beginUpload('stalled'));
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain(
      '{"code":"REQUEST_TIMEOUT","message":"The request body stopped coming for 300 ms"}',
    );
    expect(await (await server.call('stalled', { method: 'POST', body: 'whole' })).text()).toBe('whole');
    const [next, stalled] = await server.invocationsOf('stalled', 2);
    expect(stalled).toMatchObject({ status: 'failed', error: expect.stringMatching(/^REQUEST_TIMEOUT: /) });
    expect(next).toMatchObject({ status: 'succeeded', start: 'warm' });
  });

  it('finds its answer broken off when that had begun', async () => {
    await server.deploy(
      'talking',
      `Deno.serve((r) => new Response(new ReadableStream({
        async start(answer) {
          for await (const chunk of r.body) answer.enqueue(chunk);
          answer.close();
        } })));`,
      { max_instances: 1 },
    );
    allow(300);
    const answer = await readText(await beginUpload('talking'));
    expect(answer).toMatch(/^HTTP\/1\.1 200 .*hello/s);
    // The last chunk, which would say that it is whole.
    expect(answer).not.toContain('\r\n0\r\n');
    expect(await (await server.call('talking', { method: 'POST', body: 'whole' })).text()).toBe('whole');
  });

  it('is not blamed for a function that reads late', async () => {
    await server.deploy(
      'reads-late',
      `Deno.serve(async (r) => {
        await new Promise((resolve) => setTimeout(resolve, 1000));
        return new Response(String((await r.text()).length));
      });`,
    );
    allow(200);
    const body = 'x'.repeat(8 * 1024 * 1024);
    expect(await (await server.call('reads-late', { method: 'POST', body })).text()).toBe(`${body.length}`);
  });
});

describe('a function whose client has gone', () => {
  const spinning = (untilMs: string) => `Deno.serve((request) => {
    if (!request.headers.get('x-spin')) return new Response('ok');
    console.log('spins');
    const end = performance.now() + ${untilMs};
    while (performance.now() < end);
    return new Response('late');
  });`;

  /** Calls a function so that it spins, and goes away when it does. */
  async function leaveSpinning(slug: string): Promise<void> {
    const client = new AbortController();
    const call = server.call(slug, { headers: { 'x-spin': '1' }, signal: client.signal });
    await server.hasLogged(slug, 'spins');
    client.abort();
    await expect(call).rejects.toThrow('aborted');
  }

  it('keeps its instance until it is done, and is charged for all of it', async () => {
    await server.deploy('spins', spinning('1500'), { max_instances: 1, timeout_ms: 8000 });
    await server.call('spins');
    await leaveSpinning('spins');
    expect((await server.call('spins')).status).toBe(200);
    const [innocent, gone] = await server.invocationsOf('spins', 3);
    expect(gone).toMatchObject({ status: 'failed', error: expect.stringContaining('CLIENT_GONE') });
    expect(gone!.wall_ms).toBeGreaterThanOrEqual(1490);
    expect(gone!.cpu_ms).toBeGreaterThan(200);
    expect(innocent).toMatchObject({ status: 'succeeded', start: 'warm' });
    expect(innocent!.cpu_ms).toBeLessThan(gone!.cpu_ms / 2);
  });

  it('is killed at its wall time, and nobody else pays', async () => {
    await server.deploy('endless', spinning('Infinity'), { max_instances: 1, timeout_ms: 1000 });
    await server.call('endless');
    await leaveSpinning('endless');
    expect(await (await server.call('endless')).text()).toBe('ok');
    const [innocent, gone] = await server.invocationsOf('endless', 3);
    expect(gone).toMatchObject({ status: 'failed', error: expect.stringContaining('CLIENT_GONE') });
    expect(gone!.wall_ms).toBeGreaterThanOrEqual(995);
    expect(innocent).toMatchObject({ status: 'succeeded', start: 'cold' });
    expect(innocent!.wall_ms).toBeLessThan(900);
  });

  it('hears of it and may still act with its token', async () => {
    await server.deploy(
      'tidy',
      `Deno.serve(async (request) => {
        console.log('begun');
        await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
        const headers = { authorization: 'Bearer ' + request.headers.get('x-galley-token') };
        const { status } = await fetch(Deno.env.get('SUPABASE_URL') + '/rest/v1/rpc/nothing', { headers });
        console.log('answered ' + status);
        return new Response();
      });`,
    );
    const client = new AbortController();
    const call = server.call('tidy', { signal: client.signal });
    await server.hasLogged('tidy', 'begun');
    client.abort();
    await expect(call).rejects.toThrow('aborted');
    // Nothing was granted to it; 401 would mean that the token is dead.
    await server.hasLogged('tidy', 'answered 403');
    await server.invocationsOf('tidy', 1);
    expect(pool.statistics().busy).toBe(0);
  });
});

it('a body that a function did not read does not hold up the next request on its connection', async () => {
  await server.deploy('unread', 'Deno.serve(() => new Response("answered"));');
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  let received = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
  const body = 'x'.repeat(1024 * 1024);
  const head =
    `POST /functions/v1/unread HTTP/1.1\r\nHost: galley\r\nAuthorization: Bearer ${server.keys.anonKey}\r\n` +
    `Content-Length: ${body.length}\r\n\r\n`;
  socket.write(head + body + head + body);
  await eventually(() => received.split('answered').length === 3, { what: 'both answers' });
  socket.destroy();
});
