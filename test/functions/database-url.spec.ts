import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FunctionRuntime } from '../../libs/functions/src/function-runtime.provider.js';
import { limits } from '../../libs/functions/src/limits.js';
import { functionRole, loginRole } from '../../libs/functions/src/permissions/function-role.js';
import type { Sandbox } from '../../libs/functions/src/runtime/sandbox.js';
import { arrangements } from './hostile-support.js';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';

/** Runs the statement that it is sent, and answers its rows or PostgreSQL's refusal. */
const withPostgresJs = `import postgres from 'npm:postgres@3.4.7';
const sql = postgres(Deno.env.get('SUPABASE_DB_URL') ?? '', { max: 1, idle_timeout: 5 });
Deno.serve(async (request) => {
  try {
    return Response.json({ rows: await sql.unsafe(await request.text()) });
  } catch (error) {
    return Response.json({ code: error.code, message: error.message });
  }
});`;

const withPg = `import pg from 'npm:pg@8.16.3';
Deno.serve(async (request) => {
  const client = new pg.Client({ connectionString: Deno.env.get('SUPABASE_DB_URL') });
  try {
    await client.connect();
    return Response.json({ rows: (await client.query(await request.text())).rows });
  } catch (error) {
    return Response.json({ code: error.code, message: error.message });
  } finally {
    await client.end().catch(() => {});
  }
});`;

/** Begins to log in as whoever, to whatever, as it is told: what a function may try that has a way to PostgreSQL. */
const knocking = `Deno.serve(async (request) => {
  const { port } = new URL(Deno.env.get('SUPABASE_DB_URL'));
  const parameters = new TextEncoder().encode((await request.json()).flat().join('\\0') + '\\0\\0');
  const message = new Uint8Array(8 + parameters.length);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length);
  view.setUint32(4, 196608);
  message.set(parameters, 8);
  const count = Number(new URL(request.url).searchParams.get('count') ?? 1);
  const connections = [];
  const answers = [];
  for (let i = 0; i < count; i++) {
    const connection = await Deno.connect({ hostname: '127.0.0.1', port: Number(port) });
    connections.push(connection);
    await connection.write(message);
    const answer = new Uint8Array(1000);
    const length = await connection.read(answer);
    answers.push(new TextDecoder().decode(answer.subarray(0, length ?? 0)).replaceAll('\\n', ' '));
  }
  for (const connection of connections) connection.close();
  return new Response(answers.join('\\n'));
});`;

/** As on a host that allows no namespaces; a server finds that out by itself, at its start. */
async function giveUpJails(server: FunctionsServer): Promise<void> {
  const { sandbox } = server.get(FunctionRuntime) as unknown as { sandbox: Sandbox };
  await sandbox.giveUpJails();
}

const database_url = true;
const tables = { 'public.notes': ['select', 'insert'] };

describe.each(arrangements)('SUPABASE_DB_URL, in the arrangement "%s"', (arrangement) => {
  let server: FunctionsServer;
  beforeAll(async () => {
    server = await startFunctionsServer();
    if (arrangement === 'open cell') await giveUpJails(server);
    await server.project.database.query(`
      create table public.notes (id serial primary key, text text);
      alter table public.notes enable row level security;
      insert into public.notes (text) values ('one');
      create table public.others (id int);
      create function public.add(a int, b int) returns int language sql as 'select a + b';
      revoke execute on function public.add from public;
    `);
  });
  afterAll(() => server.close());

  const run = async (slug: string, sql: string) => {
    const response = await server.call(slug, { method: 'POST', body: sql });
    expect(response.status).toBe(200);
    return (await response.json()) as { rows?: unknown[]; code?: string; message?: string };
  };
  /** The function's login, if it has one. */
  const loginsOf = async (slug: string) => {
    const { rows } = await server.project.database.query<{ rolname: string }>(
      `select rolname from pg_roles where rolname = $1`,
      [loginRole(await functionRole(server.project, slug))],
    );
    return rows.map(({ rolname }) => rolname);
  };

  it.each([
    ['postgresjs', withPostgresJs],
    ['nodepg', withPg],
  ])(
    'lets %s read and write the tables that are declared, through row-level security',
    async (slug, code) => {
      await server.deploy(slug, code, { check: false, permissions: { tables, database_url } });
      expect(await run(slug, `insert into notes (text) values ('two') returning text`)).toEqual({
        rows: [{ text: 'two' }],
      });
      expect(await run(slug, `select text from notes where id = 1`)).toEqual({ rows: [{ text: 'one' }] });
    },
  );

  it('may do nothing else', async () => {
    await server.deploy('bounded', withPg, { check: false, permissions: { tables, database_url } });
    const denied = (what: string) => ({ code: '42501', message: expect.stringContaining(what) });
    expect(await run('bounded', `delete from notes`)).toMatchObject(denied('permission denied'));
    expect(await run('bounded', `select * from others`)).toMatchObject(denied('permission denied'));
    expect(await run('bounded', `select public.add(1, 2)`)).toMatchObject(denied('permission denied'));
    expect(await run('bounded', `select * from auth.users`)).toMatchObject(denied('permission denied'));
    expect(await run('bounded', `select * from storage.objects`)).toMatchObject(denied('permission denied'));
    expect(await run('bounded', `set role service_role`)).toMatchObject(denied('permission denied'));
    expect(await run('bounded', `set role postgres`)).toMatchObject(denied('permission denied'));
    expect(await run('bounded', `create table public.mine (id int)`)).toMatchObject(
      denied('permission denied'),
    );
    expect(await run('bounded', `select pg_read_file('/etc/passwd')`)).toMatchObject(
      denied('permission denied'),
    );
  });

  it('calls the database functions that are declared', async () => {
    const permissions = { rpc: ['public.add'], database_url };
    await server.deploy('adding', withPg, { check: false, permissions });
    expect(await run('adding', `select public.add(1, 2) as sum`)).toEqual({ rows: [{ sum: 3 }] });
  });

  it('is not there unless it is declared', async () => {
    const source = `Deno.serve(() => new Response(String(Deno.env.get('SUPABASE_DB_URL'))));`;
    await server.deploy('without', source, { permissions: { tables } });
    expect(await (await server.call('without')).text()).toBe('undefined');
    expect(await loginsOf('without')).toEqual([]);
  });

  it('leads to the role and database that it names, and to no others', async () => {
    await server.deploy('knocking', knocking, { permissions: { database_url } });
    const [own] = await loginsOf('knocking');
    const { rows } = await server.project.database.query<{ name: string }>(
      'select current_database() as name',
    );
    const database = rows[0]!.name;
    const knock = async (...parameters: [string, string][]) => {
      const response = await server.call('knocking', { method: 'POST', body: JSON.stringify(parameters) });
      return (await response.text()).replaceAll('\0', ' ');
    };
    const refused = /^E.*SFATAL VFATAL C28000 MA function logs in as SUPABASE_DB_URL says/s;
    // It is asked for a password: SASL (PostgreSQL manual §54.3).
    expect(await knock(['user', own!], ['database', database])).toMatch(/^R.*SCRAM-SHA-256/s);
    expect(await knock(['user', 'postgres'], ['database', database])).toMatch(refused);
    expect(await knock(['user', 'authenticator'], ['database', database])).toMatch(refused);
    expect(await knock(['user', own!], ['database', 'galley'])).toMatch(refused);
    expect(await knock(['user', own!])).toMatch(refused);
    expect(await knock(['user', own!], ['database', database], ['replication', 'true'])).toMatch(refused);
  });

  it('ends with the deployment that declares it', async () => {
    const permissions = { tables, database_url };
    await server.deploy('ending', withPostgresJs, { check: false, permissions });
    await run('ending', 'select 1');
    expect(await loginsOf('ending')).toHaveLength(1);
    await server.deploy('ending', `Deno.serve(() => new Response());`, { permissions: { tables } });
    expect(await loginsOf('ending')).toEqual([]);
    const { rows } = await server.project.database.query(
      `select policyname from pg_policies where policyname like 'galley ending insert%'`,
    );
    expect(rows).toHaveLength(1);
  });

  it('goes with the function', async () => {
    await server.deploy('going', knocking, { permissions: { database_url } });
    expect(await loginsOf('going')).toHaveLength(1);
    expect((await server.manage('DELETE', '/functions/going')).status).toBe(200);
    expect(await loginsOf('going')).toEqual([]);
  });

  it('has a bounded number of connections', async () => {
    await server.deploy('crowd', knocking, { permissions: { database_url } });
    const [user] = await loginsOf('crowd');
    const { rows } = await server.project.database.query<{ name: string }>(
      'select current_database() as name',
    );
    const parameters = [
      ['user', user],
      ['database', rows[0]!.name],
    ];
    const body = JSON.stringify(parameters);
    const answer = await server.call('crowd?count=12', { method: 'POST', body });
    const answers = (await answer.text()).split('\n');
    expect(answers.filter((text) => text.startsWith('R'))).toHaveLength(limits.databaseConnections);
    expect(answers.filter((text) => /C53300/.test(text))).toHaveLength(2);
    // They are free again.
    expect(await (await server.call('crowd', { method: 'POST', body })).text()).toMatch(/^R/);
  });
});
