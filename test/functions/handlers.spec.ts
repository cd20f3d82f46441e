import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';

let server: FunctionsServer;
beforeAll(async () => {
  server = await startFunctionsServer();
});
afterAll(() => server.close());

describe('a function serves by', () => {
  it.each([
    ['Deno.serve(handler)', 'Deno.serve(() => new Response("hi"));'],
    [
      'Deno.serve(options, handler)',
      'Deno.serve({ port: 8000, hostname: "0.0.0.0" }, () => new Response("hi"));',
    ],
    ['Deno.serve({ handler })', 'Deno.serve({ port: 9999, handler: () => new Response("hi") });'],
    [
      'Deno.serve with onError',
      'Deno.serve({ onError: () => new Response("hi") }, () => { throw new Error("x"); });',
    ],
    [
      'Deno.serve a while after it was loaded',
      'setTimeout(() => Deno.serve(() => new Response("hi")), 300);',
    ],
    ['export default { fetch }', 'export default { fetch: () => new Response("hi") };'],
    [
      'export default { fetch } that uses its object',
      'export default { text: "hi", fetch() { return new Response(this.text); } };',
    ],
    ['export default function', 'export default () => new Response("hi");'],
    ['export const handler', 'export const handler = async () => "hi";'],
    [
      'a listener and Deno.serveHttp, as before Deno 2',
      `const { serveHttp } = Deno as any;
       (async () => { for await (const conn of Deno.listen({ port: 8000 })) (async () => {
         for await (const { respondWith } of serveHttp(conn)) respondWith(new Response("hi")); })(); })();`,
    ],
    [
      'node:http',
      `import { createServer } from 'node:http';
       createServer((request, response) => response.end(request.url === '/shape' ? 'hi' : request.url)).listen(3000);`,
    ],
    [
      'express',
      `import express from 'npm:express@5';
       const app = express(); app.use(express.json()); app.get('/shape', (_q, a) => { a.send('hi'); }); app.listen(3000);`,
    ],
    [
      'fastify',
      `import fastify from 'npm:fastify@5';
       const app = fastify(); app.get('/shape', async () => 'hi'); app.listen({ port: 3000 });`,
    ],
    [
      'hono',
      `import { Hono } from 'npm:hono@4';
       const app = new Hono().basePath('/shape'); app.get('/', (c) => c.text('hi')); Deno.serve(app.fetch);`,
    ],
    [
      'hono as default export',
      `import { Hono } from 'npm:hono@4'; const app = new Hono(); app.all('*', (c) => c.text('hi')); export default app;`,
    ],
    [
      'hono on node:http',
      `import { Hono } from 'npm:hono@4'; import { serve } from 'npm:@hono/node-server@1';
       const app = new Hono(); app.get('/shape', (c) => c.text('hi')); serve({ fetch: app.fetch, port: 3000 });`,
    ],
  ])('%s', async (_shape, source) => {
    await server.deploy('shape', source, { check: false });
    const response = await server.call('shape');
    expect([response.status, await response.text()]).toEqual([200, 'hi']);
  });

  it('nothing at all is told so', async () => {
    await server.deploy('nothing', 'export const other = 1; console.log("loaded");');
    const response = await server.call('nothing');
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ code: 'BOOT_ERROR' });
  });
});

describe("a request's", () => {
  it('client is told by info.remoteAddr and x-forwarded-for, as a proxy on this machine tells it', async () => {
    await server.deploy(
      'whoami',
      `Deno.serve((request, { remoteAddr }) =>
        Response.json([(remoteAddr as Deno.NetAddr).hostname, request.headers.get('x-forwarded-for')]));`,
    );
    const response = await server.call('whoami', { headers: { 'x-forwarded-for': '9.9.9.9' } });
    expect(await response.json()).toEqual(['9.9.9.9', '9.9.9.9, 127.0.0.1']);
  });

  it('region is accepted, and answered with the one there is', async () => {
    await server.deploy('region', 'Deno.serve(() => new Response(Deno.env.get("SB_REGION")));');
    const response = await server.call('region?forceFunctionRegion=eu-west-3', {
      headers: { 'x-region': 'eu-west-3' },
    });
    expect([response.headers.get('x-sb-edge-region'), await response.text()]).toEqual(['local', 'local']);
  });
});

describe('a handler as AWS Lambda calls it', () => {
  beforeAll(async () => {
    await server.deploy(
      'lambda',
      `export const handler = async (event: any, context: any) => {
        const left = context.getRemainingTimeInMillis();
        switch (event.rawPath) {
          case '/event': return { event, name: context.functionName, id: context.awsRequestId, left, memory: context.memoryLimitInMB };
          case '/text': return 'plain';
          case '/nothing': return undefined;
          case '/bytes': return { statusCode: 201, headers: { 'Content-Type': 'image/png' }, body: btoa('\\x00png'), isBase64Encoded: true };
          case '/cookies': return { statusCode: 302, headers: { location: '/x' }, cookies: ['a=1', 'b=2; HttpOnly'] };
          case '/empty': return { statusCode: 204 };
          case '/wrong': return { statusCode: 'no' };
          default: throw new Error('lost');
        }
      };`,
      { timeout_ms: 5000 },
    );
    await server.deploy(
      'callback',
      `export const handler = (event: any, _context: any, callback: any) => {
        setTimeout(() => callback(event.queryStringParameters ? new Error('asked') : null, { statusCode: 200, body: 'called' }), 5);
      };`,
    );
  });

  it('is given the event of a function URL', async () => {
    const response = await server.call('lambda/event?a=1&b=x%20y&a=2', {
      method: 'POST',
      headers: { 'content-type': 'application/json', cookie: 'k=v; l=w' },
      body: '{"name":"Ada"}',
    });
    const { event, ...context } = (await response.json()) as Record<string, Record<string, unknown>>;
    expect(event).toMatchObject({
      version: '2.0',
      rawPath: '/event',
      rawQueryString: 'a=1&b=x%20y&a=2',
      queryStringParameters: { a: '1,2', b: 'x y' },
      cookies: ['k=v', 'l=w'],
      headers: { 'content-type': 'application/json' },
      requestContext: { http: { method: 'POST', path: '/event', sourceIp: '127.0.0.1' }, stage: '$default' },
      body: '{"name":"Ada"}',
      isBase64Encoded: false,
    });
    expect(context).toMatchObject({
      name: 'lambda',
      memory: '256',
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(context['left']).toBeGreaterThan(4000);
    expect(context['left']).toBeLessThanOrEqual(5000);
  });

  it('is given bytes in base 64', async () => {
    const response = await server.call('lambda/event', { method: 'POST', body: Buffer.from([0, 255, 1]) });
    const { event } = (await response.json()) as { event: object };
    expect(event).toMatchObject({ body: 'AP8B', isBase64Encoded: true });
  });

  it.each([
    ['text', 200, 'application/json', 'plain'],
    ['nothing', 200, 'application/json', 'null'],
    ['bytes', 201, 'image/png', '\0png'],
    ['empty', 204, 'application/json', ''],
    ['wrong', 500, 'text/plain;charset=UTF-8', 'Internal Server Error'],
    ['lost', 500, 'text/plain;charset=UTF-8', 'Internal Server Error'],
  ])('returns %s, which is answered with %i', async (path, status, type, text) => {
    const response = await server.call(`lambda/${path}`);
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
      status,
      type,
      text,
    ]);
  });

  it('returns cookies', async () => {
    const response = await server.call('lambda/cookies', { redirect: 'manual' });
    expect([response.status, response.headers.getSetCookie()]).toEqual([302, ['a=1', 'b=2; HttpOnly']]);
  });

  it('answers by its callback', async () => {
    expect(await (await server.call('callback')).text()).toBe('called');
    expect((await server.call('callback?x=1')).status).toBe(500);
  });
});
