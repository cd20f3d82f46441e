import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AuthModule } from '#libs/auth';
import { StorageModule } from '#libs/storage';
import { createHmac } from 'node:crypto';
import { WebSocket } from 'undici';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';

// Functions of ours that do what published examples for Supabase do, with the libraries that they use.

let server: FunctionsServer;
let token: string;
beforeAll(async () => {
  server = await startFunctionsServer([AuthModule, StorageModule]);
  await server.project.database.query(
    `create table notes (id bigint generated always as identity primary key, owner uuid default auth.uid(), text text);
     alter table notes enable row level security;
     create policy own on notes using (owner = auth.uid()) with check (owner = auth.uid())`,
  );
  await server.project.database.query(
    `insert into storage.buckets (id, name, public) values ('files', 'files', true)`,
  );
  const { data } = await server
    .client()
    .auth.signUp({ email: 'ann@example.com', password: 'a long password' });
  token = data.session!.access_token;
});
afterAll(() => server.close());

const asAnn = (path: string, init: RequestInit = {}) =>
  server.call(path, { ...init, headers: { authorization: `Bearer ${token}`, ...init.headers } });

describe('withSupabase of @supabase/server', () => {
  beforeAll(async () => {
    await server.deploy(
      'wrapped',
      `import { withSupabase } from 'npm:@supabase/server@1';
       export default { fetch: withSupabase({ auth: 'user' }, async (_request, { supabase, supabaseAdmin, userClaims }) => {
         await supabase.from('notes').insert({ text: 'mine' });
         const { data } = await supabase.from('notes').select('text, owner');
         const admin = await supabaseAdmin.from('notes').select('text');
         return Response.json({ email: userClaims!.email, data, adminStatus: admin.status, owner: userClaims!.id });
       }) };`,
    );
  });

  it('knows the person who calls, and acts as that person; its admin client is refused', async () => {
    const response = await asAnn('wrapped', { method: 'POST' });
    const body = (await response.json()) as { owner: string };
    expect(body).toMatchObject({
      email: 'ann@example.com',
      data: [{ text: 'mine', owner: body.owner }],
      adminStatus: 401,
    });
  });

  it('refuses who is not signed in, in a way that browsers can read', async () => {
    const response = await server.call('wrapped');
    expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([401, '*']);
    expect(await response.json()).toMatchObject({ code: expect.stringMatching(/^INVALID_/) });
    const preflight = await fetch(`${server.url}/functions/v1/wrapped`, { method: 'OPTIONS' });
    expect(preflight.status).toBe(204);
  });

  it('admits keys by their kind, and gives admin rights to functions that declare them', async () => {
    const source = (auth: string) =>
      `import { withSupabase } from 'npm:@supabase/server@1';
       export default { fetch: withSupabase({ auth: '${auth}' }, async (_request, { supabaseAdmin, authMode }) => {
         const { count } = await supabaseAdmin.from('notes').select('*', { count: 'exact', head: true });
         return Response.json({ authMode, count });
       }) };`;
    const settings = { verify_jwt: false, permissions: { service_role: true } };
    await server.deploy('by-secret', source('secret'), settings);
    await server.deploy('by-key', source('publishable'), settings);
    const ask = async (slug: string, apikey: string) => {
      const response = await fetch(`${server.url}/functions/v1/${slug}`, { headers: { apikey } });
      return [response.status, ((await response.json()) as { authMode?: string }).authMode];
    };
    expect(await ask('by-secret', server.keys.secretKey)).toEqual([200, 'secret']);
    expect(await ask('by-secret', server.keys.publishableKey)).toEqual([401, undefined]);
    expect(await ask('by-key', server.keys.publishableKey)).toEqual([200, 'publishable']);
  });
});

it('rows under row-level security with supabase-js as the caller', async () => {
  await server.deploy(
    'notes',
    `import { createClient } from 'npm:@supabase/supabase-js@2';
     const corsHeaders = { 'Access-Control-Allow-Origin': '*' };
     Deno.serve(async (request) => {
       if (request.method === 'OPTIONS') return new Response('ok', { headers: corsHeaders });
       const client = createClient(Deno.env.get('SUPABASE_URL')!, Deno.env.get('SUPABASE_ANON_KEY')!, {
         global: { headers: { Authorization: request.headers.get('Authorization')! } },
       });
       const id = new URLPattern({ pathname: '/notes/:id' }).exec(request.url)?.pathname.groups.id;
       const { data: { user } } = await client.auth.getUser(request.headers.get('Authorization')!.replace('Bearer ', ''));
       if (request.method === 'POST') return Response.json(await client.from('notes').insert(await request.json()).select().single(), { headers: corsHeaders });
       const { data, error } = await client.from('notes').select('id, text').eq('id', id);
       return Response.json({ data, error, email: user?.email }, { headers: corsHeaders });
     });`,
  );
  const created = (await (await asAnn('notes', { method: 'POST', body: '{"text":"hello"}' })).json()) as {
    data: { id: number };
  };
  const { id } = created.data;
  expect(await (await asAnn(`notes/${id}`)).json()).toMatchObject({
    data: [{ id, text: 'hello' }],
    email: 'ann@example.com',
  });
  expect(await (await server.call(`notes/${id}`)).json()).toMatchObject({ data: [] });
});

it('a file of a form, to storage', async () => {
  await server.deploy(
    'upload',
    `import { createClient } from 'npm:@supabase/supabase-js@2';
     Deno.serve(async (request) => {
       const form = await request.formData();
       const file = form.get('file') as File;
       const client = createClient(Deno.env.get('SUPABASE_URL')!, Deno.env.get('SUPABASE_ANON_KEY')!, {
         global: { headers: { Authorization: 'Bearer ' + request.headers.get('x-galley-token') } },
       });
       const { data, error } = await client.storage.from('files').upload(form.get('name') as string, file);
       return Response.json({ path: data?.path, error, size: file.size });
     });`,
    { permissions: { buckets: { files: ['read', 'write'] } } },
  );
  const form = new FormData();
  form.append('file', new Blob(['some text'], { type: 'text/plain' }), 'a.txt');
  form.append('name', 'a.txt');
  const response = await server.call('upload', { method: 'POST', body: form });
  expect(await response.json()).toEqual({ path: 'a.txt', error: null, size: 9 });
  expect(await (await fetch(`${server.url}/storage/v1/object/public/files/a.txt`)).text()).toBe('some text');
});

it('routes of hono with checks of zod', async () => {
  await server.deploy(
    'routes',
    `import { Hono } from 'npm:hono@4';
     import { cors } from 'npm:hono@4/cors';
     import { z } from 'npm:zod@4';
     const app = new Hono().basePath('/routes');
     app.use('*', cors());
     app.get('/hello/:name', (c) => c.json({ hello: c.req.param('name'), url: c.req.url.split(':')[0] }));
     app.post('/sum', async (c) => {
       const parsed = z.object({ a: z.number(), b: z.number() }).safeParse(await c.req.json());
       return parsed.success ? c.json(parsed.data.a + parsed.data.b) : c.json(parsed.error.issues, 400);
     });
     Deno.serve(app.fetch);`,
  );
  expect(await (await server.call('routes/hello/Ada')).json()).toEqual({ hello: 'Ada', url: 'http' });
  expect(await (await server.call('routes/sum', { method: 'POST', body: '{"a":1,"b":2}' })).json()).toBe(3);
  expect((await server.call('routes/sum', { method: 'POST', body: '{"a":"x"}' })).status).toBe(400);
  expect((await server.call('routes/nothing')).status).toBe(404);
});

it('routes of oak', async () => {
  await server.deploy(
    'oak',
    `import { Application, Router } from 'npm:@oakserver/oak@14';
     const router = new Router();
     router.get('/oak', (context) => { context.response.body = 'from oak'; });
     router.post('/oak/echo', async (context) => { context.response.body = await context.request.body.json(); });
     const app = new Application();
     app.use(router.routes());
     app.use(router.allowedMethods());
     await app.listen({ port: 8000 });`,
    { check: false },
  );
  expect(await (await server.call('oak')).text()).toBe('from oak');
  const echoed = await server.call('oak/echo', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"a":1}',
  });
  expect(await echoed.json()).toEqual({ a: 1 });
});

it('tokens of others with jose', async () => {
  await server.manage('POST', '/secrets', [{ name: 'THEIR_SECRET', value: 'x'.repeat(32) }]);
  await server.deploy(
    'guarded',
    `import * as jose from 'npm:jose@6';
     const secret = new TextEncoder().encode(Deno.env.get('THEIR_SECRET'));
     Deno.serve(async (request) => {
       try {
         const { payload } = await jose.jwtVerify(request.headers.get('authorization')!.replace('Bearer ', ''), secret);
         return Response.json(payload);
       } catch (error) { return Response.json({ msg: String(error) }, { status: 401 }); }
     });`,
    { verify_jwt: false, permissions: { secrets: ['THEIR_SECRET'] } },
  );
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'HS256' })}.${part({ sub: 'them' })}`;
  const signature = createHmac('sha256', 'x'.repeat(32)).update(signed).digest('base64url');
  const ask = (bearer: string) => server.call('guarded', { headers: { authorization: `Bearer ${bearer}` } });
  expect(await (await ask(`${signed}.${signature}`)).json()).toEqual({ sub: 'them' });
  expect((await ask(token)).status).toBe(401);
});

it('a signed webhook of stripe', async () => {
  await server.manage('POST', '/secrets', [{ name: 'STRIPE_SECRET', value: 'whsec_test' }]);
  await server.deploy(
    'stripe',
    `import Stripe from 'npm:stripe@18';
     const stripe = new Stripe('sk_test_x');
     const provider = Stripe.createSubtleCryptoProvider();
     Deno.serve(async (request) => {
       try {
         const event = await stripe.webhooks.constructEventAsync(await request.text(), request.headers.get('stripe-signature')!, Deno.env.get('STRIPE_SECRET')!, undefined, provider);
         return Response.json({ id: event.id });
       } catch (error) { return new Response((error as Error).message, { status: 400 }); }
     });`,
    { verify_jwt: false, permissions: { secrets: ['STRIPE_SECRET'] } },
  );
  const body = '{"id":"evt_1","object":"event"}';
  const at = Math.floor(Date.now() / 1000);
  const signature = createHmac('sha256', 'whsec_test').update(`${at}.${body}`).digest('hex');
  const send = (v1: string) =>
    server.call('stripe', { method: 'POST', body, headers: { 'stripe-signature': `t=${at},v1=${v1}` } });
  expect(await (await send(signature)).json()).toEqual({ id: 'evt_1' });
  expect((await send('0'.repeat(64))).status).toBe(400);
});

it('a call of another service with its SDK', async () => {
  const target = new URL(server.url);
  await server.deploy(
    'upstream',
    `Deno.serve(async (request) => { const { messages } = await request.json();
      return Response.json({ choices: [{ message: { role: 'assistant', content: messages[0].content.toUpperCase() } }] }); });`,
    { verify_jwt: false },
  );
  await server.deploy(
    'assistant',
    `import OpenAI from 'npm:openai@5';
     const client = new OpenAI({ apiKey: 'x', baseURL: Deno.env.get('SUPABASE_URL') + '/functions/v1/upstream' });
     Deno.serve(async (request) => {
       const { query } = await request.json();
       const answer = await client.chat.completions.create({ model: 'any', messages: [{ role: 'user', content: query }] });
       return new Response(answer.choices[0]!.message.content);
     });`,
    { permissions: { hosts: [target.host] } },
  );
  const response = await server.call('assistant', { method: 'POST', body: '{"query":"hello"}' });
  expect(await response.text()).toBe('HELLO');
});

it('tools of an MCP server', async () => {
  await server.deploy(
    'mcp',
    `import { McpServer } from 'npm:@modelcontextprotocol/sdk@1/server/mcp.js';
     import { StreamableHTTPTransport } from 'npm:@hono/mcp@0.1';
     import { Hono } from 'npm:hono@4';
     import { z } from 'npm:zod@3';
     const app = new Hono().basePath('/mcp');
     app.all('/mcp', async (c) => {
       const tools = new McpServer({ name: 'sums', version: '1.0.0' });
       tools.registerTool('add', { inputSchema: { a: z.number(), b: z.number() } }, ({ a, b }) => ({ content: [{ type: 'text', text: String(a + b) }] }));
       const transport = new StreamableHTTPTransport();
       await tools.connect(transport);
       return transport.handleRequest(c);
     });
     Deno.serve(app.fetch);`,
    { check: false },
  );
  const response = await server.call('mcp/mcp', {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":2,"b":3}}}',
  });
  expect(await response.text()).toContain('"text":"5"');
});

it('WebAssembly', async () => {
  const add = [
    0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1, 3, 97, 100, 100, 0, 0,
    10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11,
  ];
  await server.deploy(
    'wasm',
    `const { instance } = await WebAssembly.instantiate(new Uint8Array(${JSON.stringify(add)}));
     Deno.serve(() => Response.json((instance.exports.add as CallableFunction)(20, 22)));`,
  );
  expect(await (await server.call('wasm')).json()).toBe(42);
});

it('a picture', async () => {
  await server.deploy(
    'image',
    `import { PNG } from 'npm:pngjs@7';
     import { Buffer } from 'node:buffer';
     Deno.serve(async (request) => {
       const picture = PNG.sync.read(Buffer.from(await request.arrayBuffer()));
       for (let i = 0; i < picture.data.length; i += 4) picture.data[i] = 255 - picture.data[i]!;
       return new Response(PNG.sync.write(picture), { headers: { 'content-type': 'image/png' } });
     });`,
    { check: false },
  );
  const pixel = Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
    'base64',
  );
  const response = await server.call('image', { method: 'POST', body: pixel });
  expect(response.headers.get('content-type')).toBe('image/png');
  expect(
    Buffer.from(await response.arrayBuffer())
      .subarray(1, 4)
      .toString(),
  ).toBe('PNG');
});

it('work after the answer', async () => {
  await server.deploy(
    'background',
    `import { createClient } from 'npm:@supabase/supabase-js@2';
     Deno.serve((request) => {
       const client = createClient(Deno.env.get('SUPABASE_URL')!, Deno.env.get('SUPABASE_ANON_KEY')!, {
         global: { headers: { Authorization: request.headers.get('Authorization')! } } });
       EdgeRuntime.waitUntil((async () => { await new Promise((r) => setTimeout(r, 50)); await client.from('notes').insert({ text: 'later' }); })());
       return new Response('soon');
     });`,
  );
  expect(await (await asAnn('background')).text()).toBe('soon');
  for (let rows = 0; rows === 0;) {
    const found = await server.project.database.query(`select 1 from notes where text = 'later'`);
    rows = found.rows.length;
  }
});

it('a WebSocket with the ws package', async () => {
  await server.deploy(
    'ws',
    `import { createServer } from 'node:http';
     import { WebSocketServer } from 'npm:ws@8';
     const http = createServer((_request, response) => response.end('plain'));
     const sockets = new WebSocketServer({ noServer: true });
     sockets.on('connection', (socket: any) => socket.on('message', (data: any) => socket.send('got ' + data)));
     http.on('upgrade', (request: any, socket: any, head: any) =>
       sockets.handleUpgrade(request, socket, head, (ws: any) => sockets.emit('connection', ws, request)));
     http.listen(8080);`,
    { verify_jwt: false, check: false },
  );
  const socket = new WebSocket(`${server.url.replace('http:', 'ws:')}/functions/v1/ws`);
  const answer = await new Promise((resolve, reject) => {
    socket.addEventListener('open', () => socket.send('this'));
    socket.addEventListener('message', ({ data }) => resolve(data));
    socket.addEventListener('error', ({ message }) => reject(new Error(message)));
  });
  socket.close();
  expect(answer).toBe('got this');
});

it('logging of pino, which asks the system for its name', async () => {
  await server.deploy(
    'logging',
    `import pino from 'npm:pino@9';
     import os from 'node:os';
     Deno.serve(() => { pino({ level: 'silent' }).info('x'); return Response.json([os.hostname(), os.cpus().length]); });`,
    { check: false },
  );
  expect(await (await server.call('logging')).json()).toEqual(['localhost', 1]);
});
