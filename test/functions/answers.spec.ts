import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FunctionsHttpError, FunctionsRelayError } from '@supabase/supabase-js';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { eventually } from '../support/eventually.js';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';

let server: FunctionsServer;
beforeAll(async () => {
  server = await startFunctionsServer();
});
afterAll(() => server.close());

/** Sends `head` and what follows by hand, and gives the answer when `until` has come or the connection has ended. */
function raw(lines: readonly string[], body = '', until?: RegExp): Promise<string> {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  const key = `Authorization: Bearer ${server.keys.publishableKey}`;
  socket.write(`${[lines[0], 'Host: api.test', key, ...lines.slice(1)].join('\r\n')}\r\n\r\n${body}`);
  let answer = '';
  return new Promise((resolve, reject) => {
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text;
      if (until?.test(answer)) socket.destroy();
    });
    socket.on('error', reject).on('close', () => resolve(answer));
  });
}

describe('an answer', () => {
  it('with a status that is none is refused', async () => {
    await server.deploy(
      'odd',
      `import http from 'node:http';
       http.createServer((_request, response) => { response.statusCode = 999; response.end(); }).listen(80);`,
      { check: false },
    );
    const response = await server.call('odd');
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ code: 'INVALID_RESPONSE_STATUS_CODE' });
    expect(response.headers.get('x-relay-error')).toBe('true');
  });

  it.each([
    ['a status that Response refuses', `new Response('', { status: 600 })`],
    ['Response.error()', 'Response.error()'],
    ['a line break in a header', `new Response('', { headers: { 'x-a': 'b\\r\\nx-c: d' } })`],
    ['no Response', `'text' as unknown as Response`],
  ])('with %s is a 500 of the function, which a browser may read', async (_what, expression) => {
    await server.deploy('odd', `Deno.serve(() => ${expression});`, { check: false });
    const response = await server.call('odd');
    expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([500, '*']);
    expect(response.headers.get('sb-error-code')).toBe('EDGE_FUNCTION_ERROR');
    expect(response.headers.get('x-relay-error')).toBeNull();
    const { error } = await server.client().functions.invoke('odd');
    expect(error).toBeInstanceOf(FunctionsHttpError);
  });

  it('with more headers than may be is a fault', async () => {
    await server.deploy(
      'headers',
      `Deno.serve(() => { const headers = new Headers(); for (let i = 0; i < 20_000; i++) headers.append('x-' + i, 'y'); return new Response('', { headers }); });`,
    );
    const { error } = await server.client().functions.invoke('headers');
    expect(error).toBeInstanceOf(FunctionsRelayError);
  });

  it('that is compressed passes untouched, as does a request', async () => {
    await server.deploy(
      'gzip',
      `Deno.serve(async (r) => new Response(r.body, { headers: { 'content-encoding': r.headers.get('content-encoding')!, 'x-type': r.headers.get('content-encoding')! } }));`,
    );
    const response = await server.call('gzip', {
      method: 'POST',
      headers: { 'content-encoding': 'gzip' },
      body: gzipSync('compressed'),
    });
    expect(await response.text()).toBe('compressed');
  });

  it('to HEAD has the headers and no body', async () => {
    await server.deploy(
      'head',
      `Deno.serve((r) => new Response(r.method, { headers: { 'x-method': r.method } }));`,
    );
    const response = await server.call('head', { method: 'HEAD' });
    expect([response.status, response.headers.get('x-method'), await response.text()]).toEqual([
      200,
      'HEAD',
      '',
    ]);
  });

  it.each([204, 304])('%i has no body', async (status) => {
    await server.deploy(
      'none',
      `Deno.serve((r) => new Response(null, { status: Number(new URL(r.url).searchParams.get('s')) }));`,
    );
    const response = await server.call(`none?s=${status}`);
    expect([response.status, await response.text()]).toEqual([status, '']);
  });

  it('comes event by event', async () => {
    await server.deploy(
      'events',
      `Deno.serve(() => {
        let n = 0;
        return new Response(new ReadableStream({
          async pull(c) { await new Promise((r) => setTimeout(r, 50)); c.enqueue(new TextEncoder().encode('data: ' + n++ + '\\n\\n')); if (n === 4) c.close(); },
        }), { headers: { 'content-type': 'text/event-stream' } });
      });`,
    );
    const response = await server.call('events');
    const times: number[] = [];
    const texts: string[] = [];
    for await (const chunk of response.body!) {
      times.push(performance.now());
      texts.push(Buffer.from(chunk).toString());
    }
    expect(texts).toEqual([0, 1, 2, 3].map((n) => `data: ${n}\n\n`));
    expect(times.at(-1)! - times[0]!).toBeGreaterThan(100);
  });

  it('that is long comes whole, and a client that is slow only slows it', async () => {
    await server.deploy(
      'long',
      `Deno.serve(() => { let left = 200; const piece = new Uint8Array(256 * 1024); return new Response(new ReadableStream({
        pull(c) { if (left-- === 0) c.close(); else c.enqueue(piece); } })); });`,
    );
    const before = process.memoryUsage().rss;
    const response = await server.call('long');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(process.memoryUsage().rss - before).toBeLessThan(40 * 1024 * 1024);
    expect((await response.arrayBuffer()).byteLength).toBe(200 * 256 * 1024);
  });

  it('is not cut short when the connection is closed right after it', async () => {
    await server.deploy('plain', 'Deno.serve(() => new Response("x".repeat(500_000)));');
    const answer = await raw(['GET /functions/v1/plain HTTP/1.0']);
    expect(answer.endsWith('x'.repeat(500_000))).toBe(true);
  });
});

describe('a request', () => {
  beforeAll(() =>
    server.deploy(
      'echo',
      `Deno.serve(async (r) => Response.json({ method: r.method, body: await r.text(), headers: Object.fromEntries(r.headers) }));`,
    ),
  );

  it('that waits for 100 Continue gets it', async () => {
    const answer = await raw(
      ['POST /functions/v1/echo HTTP/1.1', 'Expect: 100-continue', 'Content-Length: 5', 'Connection: close'],
      'hello',
    );
    expect(answer).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK[^]*"body":"hello"/);
    expect(answer).not.toContain('"expect"');
  });

  it('has its trailers dropped, and its body of chunks read', async () => {
    const answer = await raw(
      [
        'POST /functions/v1/echo HTTP/1.1',
        'Transfer-Encoding: chunked',
        'Trailer: x-sum',
        'Connection: close',
      ],
      '5\r\nhello\r\n0\r\nx-sum: 5\r\n\r\n',
    );
    expect(answer).toContain('"body":"hello"');
    expect(answer).not.toContain('x-sum');
  });

  it.each(['PROPFIND', 'MKCOL', 'SEARCH'])('may have the method %s', async (method) => {
    expect(await (await server.call('echo', { method })).json()).toMatchObject({ method });
  });

  it.each(['TRACE', 'PURGE', 'SUBSCRIBE'])('may not have the method %s', async (method) => {
    const answer = await raw([`${method} /functions/v1/echo HTTP/1.1`, 'Connection: close']);
    expect(answer).toMatch(/^HTTP\/1.1 405 [^]*METHOD_NOT_ALLOWED/);
  });

  it('without a body has none', async () => {
    expect(await (await server.call('echo', { method: 'POST' })).json()).toMatchObject({ body: '' });
  });

  it('with headers that are too large is refused before the function', async () => {
    const answer = await raw([
      'GET /functions/v1/echo HTTP/1.1',
      `x-large: ${'y'.repeat(100_000)}`,
      'Connection: close',
    ]);
    expect(answer).toMatch(/^HTTP\/1.1 431 /);
  });

  it('with two lengths never reaches the function', async () => {
    const answer = await raw(
      [
        'POST /functions/v1/echo HTTP/1.1',
        'Content-Length: 5',
        'Transfer-Encoding: chunked',
        'Connection: close',
      ],
      '0\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
  });
});

describe('a function hears before its process goes', () => {
  const listening = `addEventListener('beforeunload', (event) => { console.log('goes by', event.detail?.reason); });`;
  const logged = (slug: string, text: string) =>
    eventually(async () => {
      const { body } = await server.manage('GET', `/functions/${slug}/logs`);
      return (body as unknown as { message: string }[]).some(({ message }) => message === text);
    });

  it('that its time is up', async () => {
    await server.deploy(
      'slow',
      `${listening} Deno.serve(async () => { await new Promise((r) => setTimeout(r, 60_000)); return new Response(); });`,
      { timeout_ms: 300 },
    );
    expect((await server.call('slow')).status).toBe(504);
    await logged('slow', 'goes by wall_clock');
  });

  it('that another deployment takes its place, or nobody has called for a while', async () => {
    const other = await startFunctionsServer([], { GALLEY_INSTANCE_IDLE_MS: '100' });
    await other.deploy('idle', `${listening} Deno.serve(() => new Response('x'));`);
    await (await other.call('idle')).text();
    await eventually(async () => {
      const { body } = await other.manage('GET', '/functions/idle/logs');
      return (body as unknown as { message: string }[]).some(
        ({ message }) => message === 'goes by early_drop',
      );
    });
    await other.close();
  });
});
