import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { FunctionsFetchError, FunctionsHttpError, FunctionsRelayError } from '@supabase/supabase-js';
import { request as sendRequest } from 'node:http';
import { text as readText } from 'node:stream/consumers';
import { limits } from '../../libs/functions/src/limits.js';
import { eventually } from '../support/eventually.js';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';
import { writtenLines } from './log-support.js';

const echo = `Deno.serve(async (request) => Response.json({
  method: request.method,
  url: new URL(request.url).pathname + new URL(request.url).search,
  body: await request.text(),
  headers: Object.fromEntries(request.headers),
}, { headers: { 'access-control-allow-origin': 'https://app.example' } }));`;

describe('calling a function', () => {
  let server: FunctionsServer;
  beforeAll(async () => {
    server = await startFunctionsServer();
    await server.deploy('echo', echo);
  });
  afterAll(() => server.close());

  it('works with functions.invoke of supabase-js', async () => {
    const { data, error } = await server.client().functions.invoke('echo', { body: { name: 'Ada' } });
    expect(error).toBeNull();
    expect(data).toMatchObject({ method: 'POST', url: '/echo', body: '{"name":"Ada"}' });
  });

  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])(
    'passes %s, the path and the query on',
    async (method) => {
      const response = await server.call('echo/a/b%20c?x=1&y=2', { method });
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({ method, url: '/echo/a/b%20c?x=1&y=2' });
    },
  );

  it("gives the function the token that an opaque key stands for, and keeps the platform's own headers its own", async () => {
    const response = await server.call('echo', {
      headers: {
        'x-galley-token': 'forged',
        'x-galley-attempt': '9',
        'x-mine': 'kept',
        'x-request-id': 'trace-7',
      },
    });
    const { headers } = (await response.json()) as { headers: Record<string, string> };
    expect(headers['authorization']).toBe(`Bearer ${server.keys.anonKey}`);
    expect(headers['x-galley-token']).toMatch(/^eyJ/);
    expect(headers).not.toHaveProperty('x-galley-attempt');
    expect(headers).toMatchObject({ 'x-mine': 'kept', 'x-request-id': 'trace-7' });
  });

  it("keeps the project's secret key from a function that does not declare it, and lends its role for the call", async () => {
    await server.deploy('trusted', echo, { permissions: { service_role: true } });
    const { secretKey, serviceRoleKey } = server.keys;
    const seen = async (slug: string, headers: Record<string, string>) => {
      const response = await server.call(slug, { headers });
      return ((await response.json()) as { headers: Record<string, string> }).headers;
    };
    for (const key of [secretKey, serviceRoleKey]) {
      const { authorization, apikey } = await seen('echo', { authorization: `Bearer ${key}`, apikey: key });
      for (const token of [authorization!.replace('Bearer ', ''), apikey!]) {
        const claims = await server.project.tokens.verify(token);
        expect(claims).toMatchObject({ role: 'service_role' });
        expect(claims['exp']).toBeLessThan(Date.now() / 1000 + 600);
        expect(
          (
            await fetch(`${server.url}/v1/projects/local/functions`, {
              headers: { authorization: `Bearer ${token}` },
            })
          ).status,
        ).toBe(200);
      }
      expect(await seen('trusted', { authorization: `Bearer ${key}`, apikey: key })).toMatchObject({
        authorization: `Bearer ${serviceRoleKey}`,
        apikey: key,
      });
    }
  });

  it('keeps it from the query, too, however it is written there', async () => {
    const settings = { verify_jwt: false };
    await server.deploy('open', echo, settings);
    await server.deploy('trusted', echo, { ...settings, permissions: { service_role: true } });
    const { secretKey, publishableKey } = server.keys;
    const seen = async (slug: string, query: string) => {
      const response = await fetch(`${server.url}/functions/v1/${slug}?${query}`);
      return ((await response.json()) as { url: string }).url.slice(`/${slug}?`.length);
    };
    const escaped = [...secretKey].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join('');
    for (const written of [`apikey=${secretKey}`, `api%6Bey=${escaped}`]) {
      const lent = new URLSearchParams(await seen('open', `a=b%20c&${written}&d`));
      expect([...lent.keys()]).toEqual(['a', 'apikey', 'd']);
      expect(await server.project.tokens.verify(lent.get('apikey')!)).toMatchObject({ role: 'service_role' });
      expect(await seen('trusted', written)).toBe(written);
    }
    const others = `apikey=${publishableKey}&apikey=&x=%zz&apikey=%zz&=`;
    expect(await seen('open', others)).toBe(others);
  });

  it('leaves a preflight to the function, without asking for a token', async () => {
    const response = await fetch(`${server.url}/functions/v1/echo`, {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example', 'access-control-request-method': 'POST' },
    });
    expect(response.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(await response.json()).toMatchObject({ method: 'OPTIONS' });
  });

  it('streams the answer while the request still streams', async () => {
    await server.deploy(
      'upper',
      `Deno.serve((request) => new Response(
      request.body!.pipeThrough(new TextDecoderStream())
        .pipeThrough(new TransformStream({ transform: (text, to) => to.enqueue(text.toUpperCase()) }))
        .pipeThrough(new TextEncoderStream()),
      { headers: { 'content-type': 'text/event-stream' } }));`,
    );
    let send!: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void (send = controller) });
    const encoded = (text: string) => new TextEncoder().encode(text);
    send.enqueue(encoded('one'));
    const response = await server.call('upper', { method: 'POST', body, duplex: 'half' } as RequestInit);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect(await reader.read()).toMatchObject({ value: 'ONE' });
    send.enqueue(encoded('two'));
    expect(await reader.read()).toMatchObject({ value: 'TWO' });
    send.close();
    expect(await reader.read()).toMatchObject({ done: true });
  });

  it("aborts the function's request when the client goes away", async () => {
    await server.deploy(
      'patient',
      `Deno.serve((request) => {
        request.signal.addEventListener('abort', () => console.log('aborted'));
        return new Response(new ReadableStream({ start: (c) => c.enqueue(new TextEncoder().encode('first')) }));
      });`,
    );
    const controller = new AbortController();
    const response = await server.call('patient', { signal: controller.signal });
    await response.body!.getReader().read();
    controller.abort();
    expect(await writtenLines(server, 'patient', 1, '&text=aborted')).toMatchObject([{ message: 'aborted' }]);
  });

  it('answers 400 without a name and 404 for an unknown one', async () => {
    for (const path of ['', '?x=1']) {
      const missing = await server.call(path);
      expect(missing.status).toBe(400);
      expect(await missing.json()).toEqual({ msg: 'missing function name in request' });
    }
    const unknown = await server.call('nobody');
    expect(unknown.status).toBe(404);
    expect(unknown.headers.get('sb-error-code')).toBe('NOT_FOUND');
    expect(await unknown.json()).toEqual({ code: 'NOT_FOUND', message: 'Requested function was not found' });
    const { error } = await server.client().functions.invoke('nobody');
    expect(error).toBeInstanceOf(FunctionsHttpError);
  });

  it('tells faults of the platform from answers of the function', async () => {
    await server.deploy('broken', 'throw new Error("no");');
    const response = await server.call('broken', { method: 'POST' });
    expect(response.status).toBe(503);
    expect(response.headers.get('x-relay-error')).toBe('true');
    expect(response.headers.get('x-relay-header')).toBe('true');
    expect(response.headers.get('sb-error-code')).toBe('BOOT_ERROR');
    const { error } = await server.client().functions.invoke('broken');
    expect(error).toBeInstanceOf(FunctionsRelayError);
    await server.deploy('failing', 'Deno.serve(() => new Response("sorry", { status: 500 }));');
    const own = await server.client().functions.invoke('failing');
    expect(own.error).toBeInstanceOf(FunctionsHttpError);
    expect(own.error).not.toBeInstanceOf(FunctionsFetchError);
  });

  it('names the invocation in faults of the platform, too', async () => {
    await server.deploy('leaving', 'Deno.serve(() => Deno.exit(3));');
    const response = await server.call('leaving');
    expect(await response.json()).toEqual({
      code: 'WORKER_ERROR',
      message: "The function's process ended (code 3) before it had answered. The function's log tells why.",
    });
    expect(response.headers.get('access-control-expose-headers')).toContain('x-galley-invocation-id');
    const id = response.headers.get('x-galley-invocation-id');
    const log = await server.manage('GET', `/functions/leaving/logs?invocation_id=${id}`);
    expect(log.body).toMatchObject([
      { source: 'platform', level: 'error', message: expect.stringMatching(/^failed: WORKER_ERROR: /) },
    ]);
    await eventually(async () => {
      const { body } = await server.manage('GET', '/invocations?function=leaving');
      return (body as unknown as { id: string }[])[0]?.id === id;
    });
  });

  it('names no invocation where none began', async () => {
    await server.deploy(
      'occupied',
      `Deno.serve((request) => {
        console.log('busy');
        return new Promise((resolve) => request.signal.addEventListener('abort', () => resolve(new Response())));
      });`,
      { max_instances: 1 },
    );
    const client = new AbortController();
    const first = server.call('occupied', { signal: client.signal });
    await writtenLines(server, 'occupied', 1);
    const wait = jest.replaceProperty(limits, 'instanceWaitMs', 50 as never);
    const response = await server.call('occupied');
    wait.restore();
    expect(response.status).toBe(429);
    expect(response.headers.get('x-galley-invocation-id')).toBeNull();
    client.abort();
    await expect(first).rejects.toThrow('aborted');
  });

  it('refuses a request that cannot be read as what it is', async () => {
    const answer = await new Promise<{ status: number; text: string }>((resolve, reject) => {
      const headers = { authorization: `Bearer ${server.keys.publishableKey}`, 'content-length': 2 };
      const sent = sendRequest(`${server.url}/functions/v1/echo`, { method: 'QUERY', headers });
      sent.on('error', reject).on('response', (response) => {
        readText(response).then((text) => resolve({ status: response.statusCode!, text }), reject);
      });
      sent.end('{}');
    });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(JSON.parse(answer.text)).toEqual({
      code: expect.stringMatching(/^[A-Z_]+$/),
      message: expect.any(String),
    });
  });

  it('ends a function that runs longer than it may with 504', async () => {
    await server.deploy('endless', 'Deno.serve(() => { for (;;); });', { timeout_ms: 300 });
    const response = await server.call('endless');
    expect(response.status).toBe(504);
    expect(await response.json()).toMatchObject({ code: 'IDLE_TIMEOUT' });
  });

  it('ends a function that takes more memory than it may with 546', async () => {
    await server.deploy(
      'hungry',
      'Deno.serve(() => { const held = []; for (;;) held.push(new Array(1e6).fill(1)); });',
      {
        memory_mb: 64,
      },
    );
    const response = await server.call('hungry');
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
      546,
      'WORKER_LIMIT',
    ]);
  });

  it.each([
    ['api.example.com:8443', 200, 'http://api.example.com:8443/whole'],
    ['[::1]:80', 200, 'http://[::1]/whole'],
    ['evil.com/path?x=', 400, 'invalid_request'],
    ['user@evil.com', 400, 'invalid_request'],
    ['evil.com#', 400, 'invalid_request'],
  ])('with the Host header %s answers %i', async (host, status, text) => {
    await server.deploy('whole', 'Deno.serve((request) => new Response(new URL(request.url).href));');
    const answer = await new Promise<{ status: number; text: string }>((resolve, reject) => {
      const headers = { host, authorization: `Bearer ${server.keys.publishableKey}` };
      const sent = sendRequest(`${server.url}/functions/v1/whole`, { headers });
      sent.on('error', reject).on('response', (response) => {
        readText(response).then((body) => resolve({ status: response.statusCode!, text: body }), reject);
      });
      sent.end();
    });
    expect(answer).toEqual({ status, text: expect.stringContaining(text) });
  });

  it('refuses a body that announces to be too large, without waiting for it', async () => {
    const status = await new Promise((resolve, reject) => {
      const sent = sendRequest(`${server.url}/functions/v1/echo`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${server.keys.publishableKey}`,
          'content-type': 'text/plain',
          'content-length': 101 * 1024 * 1024,
        },
      });
      sent.on('error', reject).on('response', (response) => {
        resolve(response.statusCode);
        sent.destroy();
      });
      sent.write('the beginning');
    });
    expect(status).toBe(413);
  });
});
