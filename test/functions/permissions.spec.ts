import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { StorageModule } from '#libs/storage';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';

/** Does to the API what it is told, with its own token, and answers what came back. */
const proxy = `Deno.serve(async (request) => {
  const { method, path, body, headers } = await request.json();
  const token = request.headers.get('x-galley-token');
  const answer = await fetch(Deno.env.get('SUPABASE_URL') + path, {
    method,
    headers: { authorization: 'Bearer ' + token, 'content-type': 'application/json', ...headers },
    body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
  });
  return Response.json({ status: answer.status, body: await answer.text(), token });
});`;

interface Done {
  status: number;
  body: string;
  token: string;
}

describe("a function's permissions", () => {
  let server: FunctionsServer;
  beforeAll(async () => {
    server = await startFunctionsServer([StorageModule]);
    await server.project.database.query(`
      create table public.posts (id serial primary key, title text);
      alter table public.posts enable row level security;
      insert into public.posts (title) values ('one');
      create table public.private_notes (id int);
      create function public.add(a int, b int) returns int language sql as 'select a + b';
      create function public.subtract(a int, b int) returns int language sql as 'select a - b';
      insert into storage.buckets (id, name) values ('in', 'in'), ('out', 'out'), ('other', 'other');
      notify galley_schema;
    `);
  });
  afterAll(() => server.close());

  async function through(slug: string, call: Record<string, unknown>): Promise<Done> {
    const response = await server.call(slug, { method: 'POST', body: JSON.stringify(call) });
    expect(response.status).toBe(200);
    return (await response.json()) as Done;
  }
  const get = (path: string) => ({ method: 'GET', path });

  it('end at the tables and verbs that it declares, and reach through row-level security there', async () => {
    await server.deploy('rows', proxy, { permissions: { tables: { 'public.posts': ['select', 'insert'] } } });
    const read = await through('rows', get('/rest/v1/posts?select=title'));
    expect(read).toMatchObject({ status: 200, body: '[{"title":"one"}]' });
    const written = await through('rows', { method: 'POST', path: '/rest/v1/posts', body: { title: 'two' } });
    expect(written.status).toBe(201);
    const changed = await through('rows', {
      method: 'PATCH',
      path: '/rest/v1/posts?id=eq.1',
      body: { title: 'x' },
    });
    expect([changed.status, changed.body]).toEqual([403, expect.stringContaining('permission denied')]);
    const other = await through('rows', get('/rest/v1/private_notes'));
    expect([other.status, other.body]).toEqual([403, expect.stringContaining('permission denied')]);
    expect(JSON.parse(other.body)).toMatchObject({
      hint: expect.stringContaining('Declare it in galley.toml, under [functions.rows.permissions]: tables'),
    });
  });

  it('take in only the database functions that it declares', async () => {
    const call = { method: 'POST', path: '/rest/v1/rpc/add', body: { a: 1, b: 2 } };
    expect(await through('rows', call)).toMatchObject({ status: 403 });
    await server.deploy('adder', proxy, { permissions: { rpc: ['public.add'] } });
    expect(await through('adder', call)).toMatchObject({ status: 200, body: '3' });
  });

  it('are the same in a batch', async () => {
    await server.deploy('batches', proxy, {
      permissions: { rpc: ['public.add'], tables: { 'public.posts': ['select'] } },
    });
    const call = (name: string) => ({ method: 'POST', path: `/rpc/${name}`, body: { a: 1, b: 2 } });
    const batch = (...requests: object[]) =>
      through('batches', { method: 'POST', path: '/rest/v1/batch', body: { requests } });
    const done = await batch(call('add'), { path: '/posts?select=title&id=eq.1' });
    expect(JSON.parse(done.body)).toMatchObject({ responses: [{ body: 3 }, { body: [{ title: 'one' }] }] });
    for (const request of [call('subtract'), { method: 'DELETE', path: '/posts?id=eq.1' }]) {
      const refused = await batch(call('add'), request);
      expect([refused.status, JSON.parse(refused.body)]).toMatchObject([
        403,
        { code: '42501', request: { index: 1 } },
      ]);
    }
  });

  it('end at the buckets and folders that it declares', async () => {
    await server.deploy('pictures', proxy, {
      permissions: { buckets: { in: ['read'], 'out/small': ['write'] } },
    });
    const owner = server.client(server.keys.secretKey).storage;
    await owner.from('in').upload('a.txt', 'bytes');
    await owner.from('other').upload('a.txt', 'bytes');
    await owner.from('out').upload('small/secret.txt', 'bytes');
    const upload = (path: string) =>
      through('pictures', {
        method: 'POST',
        path: `/storage/v1/object/${path}`,
        body: 'x',
        headers: { 'content-type': 'text/plain', 'x-upsert': 'true' },
      });
    expect(await through('pictures', get('/storage/v1/object/authenticated/in/a.txt'))).toMatchObject({
      status: 200,
      body: 'bytes',
    });
    expect((await through('pictures', get('/storage/v1/object/authenticated/other/a.txt'))).status).toBe(400);
    expect((await upload('out/small/new.txt')).status).toBe(200);
    expect((await upload('out/small/new.txt')).status).toBe(200);
    expect((await upload('out/smaller.txt')).status).toBe(400);
    const refused = await upload('in/new.txt');
    expect([refused.status, JSON.parse(refused.body)]).toMatchObject([
      400,
      {
        statusCode: '403',
        message:
          'new row violates row-level security policy (galley.toml declares what the function may read and write: ' +
          '[functions.pictures.permissions] buckets)',
      },
    ]);
    // What it may write it may not, for that, read.
    expect(
      (await through('pictures', get('/storage/v1/object/authenticated/out/small/secret.txt'))).status,
    ).toBe(400);
    const removed = await through('pictures', {
      method: 'DELETE',
      path: '/storage/v1/object/out/small/new.txt',
    });
    expect(removed.status).toBe(200);
  });

  it('change with the deployment: what is no longer declared is taken back', async () => {
    await server.deploy('changing', proxy, {
      permissions: { tables: { 'public.posts': ['select'] }, buckets: { in: ['read'] } },
    });
    expect((await through('changing', get('/rest/v1/posts'))).status).toBe(200);
    await server.deploy('changing', proxy, {
      permissions: { tables: { 'public.private_notes': ['select'] } },
    });
    expect((await through('changing', get('/rest/v1/posts'))).status).toBe(403);
    expect((await through('changing', get('/rest/v1/private_notes'))).status).toBe(200);
    expect((await through('changing', get('/storage/v1/object/authenticated/in/a.txt'))).status).toBe(400);
    const { rows } = await server.project.database.query(
      `select polname from pg_policy where polname like 'galley changing %'`,
    );
    expect(rows).toHaveLength(1);
  });

  it('die with the invocation', async () => {
    const { token, status } = await through('rows', get('/rest/v1/posts'));
    expect(status).toBe(200);
    const late = await fetch(`${server.url}/rest/v1/posts`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(late.status).toBe(401);
  });

  it("keep one function from taking another's role", async () => {
    const { token } = await through('rows', get('/rest/v1/posts'));
    const [, claims] = token.split('.');
    const { role } = JSON.parse(Buffer.from(claims!, 'base64url').toString()) as { role: string };
    const { rows } = await server.project.database.query(
      `select r.rolname from pg_auth_members m join pg_roles r on r.oid = m.member
       where m.roleid = (select oid from pg_roles where rolname = $1)`,
      [role],
    );
    expect(rows).toEqual([{ rolname: 'authenticator' }]);
  });

  it("let it connect to no host but the declared ones and the project's own API", async () => {
    let heard = 0;
    const peer = createServer((_, response) => response.end(`heard ${++heard}`));
    await new Promise<void>((resolve) => peer.listen(0, '127.0.0.1', resolve));
    const host = `127.0.0.1:${(peer.address() as AddressInfo).port}`;
    const outward = `Deno.serve(() => fetch('http://${host}/').then((r) => r.text(), () => 'refused').then((t) => new Response(t)));`;
    await server.deploy('outward', outward);
    expect(await (await server.call('outward')).text()).toBe('refused');
    expect(heard).toBe(0);
    await server.deploy('outward', outward, { permissions: { hosts: [host] } });
    expect(await (await server.call('outward')).text()).toBe('heard 1');
    peer.closeAllConnections();
    peer.close();
  });
});

describe('secrets', () => {
  let server: FunctionsServer;
  const telling = 'Deno.serve(() => Response.json(Deno.env.get("TOKEN") ?? null));';
  beforeAll(async () => {
    server = await startFunctionsServer();
  });
  afterAll(() => server.close());

  it('are answered by name and digest alone', async () => {
    expect(await server.manage('POST', '/secrets', [{ name: 'TOKEN', value: 'hunter2' }])).toMatchObject({
      status: 201,
    });
    const { body } = await server.manage('GET', '/secrets');
    expect(body).toEqual([
      {
        name: 'TOKEN',
        value: 'f52fbd32b2b3b86ff88ef6c490628285f482af15ddcb29541f94bcf526a3f6c7',
        updated_at: expect.any(String),
      },
    ]);
    const {
      rows: [row],
    } = await server.platform.database.query<{ sealed_value: Buffer }>('select sealed_value from secrets');
    expect(row!.sealed_value.toString('latin1')).not.toContain('hunter2');
  });

  it('are seen by the functions that declare them and by no other', async () => {
    await server.deploy('declares', telling, { permissions: { secrets: ['TOKEN'] } });
    await server.deploy('does-not', telling);
    expect(await (await server.call('declares')).json()).toBe('hunter2');
    expect(await (await server.call('does-not')).json()).toBeNull();
  });

  it('take effect without a new deployment', async () => {
    await server.manage('POST', '/secrets', [{ name: 'TOKEN', value: 'new' }]);
    const changedAt = performance.now();
    while ((await (await server.call('declares')).json()) !== 'new') {
      expect(performance.now() - changedAt).toBeLessThan(1000);
    }
  });

  it('that are removed leave a clear error to the function that declares them', async () => {
    await server.manage('DELETE', '/secrets', ['TOKEN']);
    const changedAt = performance.now();
    let response = await server.call('declares');
    while (response.status === 200 && performance.now() - changedAt < 1000)
      response = await server.call('declares');
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      code: 'BOOT_ERROR',
      message: expect.stringContaining('TOKEN'),
    });
  });

  it.each(['SUPABASE_URL', 'LD_PRELOAD', 'a-b', ''])('cannot be named %j', async (name) => {
    const refused = await server.manage('POST', '/secrets', [{ name, value: 'x' }]);
    expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_secret' } });
  });

  it('do not include the service role key unless that is declared', async () => {
    const names = 'Deno.serve(() => Response.json(Object.keys(Deno.env.toObject()).sort()));';
    await server.deploy('plain', names);
    const plain = (await (await server.call('plain')).json()) as string[];
    expect(plain).not.toContain('SUPABASE_SERVICE_ROLE_KEY');
    expect(plain).toEqual(
      expect.arrayContaining(['DENO_DEPLOYMENT_ID', 'SB_EXECUTION_ID', 'SUPABASE_ANON_KEY', 'SUPABASE_URL']),
    );
    await server.deploy(
      'powerful',
      'Deno.serve(() => Response.json(Deno.env.get("SUPABASE_SERVICE_ROLE_KEY")));',
      {
        permissions: { service_role: true },
      },
    );
    expect(await (await server.call('powerful')).json()).toBe(server.keys.serviceRoleKey);
  });
});
