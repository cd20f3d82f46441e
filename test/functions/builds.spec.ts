import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { newId } from '#libs/platform';
import { limits } from '../../libs/functions/src/limits.js';
import { cloneDatabases } from '../support/database.js';
import { testEnvironment } from '../support/environment.js';
import { eventsOf, type SentEvent } from '../support/events.js';
import { eventually } from '../support/eventually.js';
import { startProcess, type GalleyProcess } from '../support/galley-process.js';
import { buildProcess } from './build-processes.js';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';

const answering = (text: string) => `Deno.serve(() => new Response(${JSON.stringify(text)}));`;

function formOf(slug: string, source: string, manifest: object = {}): FormData {
  const form = new FormData();
  form.append('metadata', JSON.stringify({ name: slug, entrypoint_path: 'index.ts', galley: manifest }));
  form.append('file', new Blob([source]), 'index.ts');
  return form;
}

/** Deploys and is told of it while it goes. */
function deployStreaming(url: string, key: string, slug: string, source: string): Promise<Response> {
  return fetch(`${url}/v1/projects/local/functions/deploy?slug=${slug}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, accept: 'text/event-stream' },
    body: formOf(slug, source),
  });
}

async function all(events: AsyncGenerator<SentEvent>): Promise<SentEvent[]> {
  const list: SentEvent[] = [];
  for await (const event of events) list.push(event);
  return list;
}

describe('a build', () => {
  let server: FunctionsServer;
  beforeAll(async () => {
    server = await startFunctionsServer();
  });
  afterAll(() => server.close());

  const stream = (slug: string, source: string) =>
    deployStreaming(server.url, server.keys.secretKey, slug, source);
  const buildsOf = async (slug: string) =>
    (await server.manage('GET', `/functions/${slug}/builds`)).body as unknown as Record<string, unknown>[];
  const follow = (slug: string, id: string, headers: Record<string, string> = {}) =>
    fetch(`${server.url}/v1/projects/local/functions/${slug}/builds/${id}/logs`, {
      headers: {
        authorization: `Bearer ${server.keys.secretKey}`,
        accept: 'text/event-stream',
        ...headers,
      },
    });

  it('is recorded with its log, and the deployment that it made', async () => {
    const deployed = await server.deploy('told', answering('told'));
    const [build, ...others] = await buildsOf('told');
    expect(others).toEqual([]);
    expect(build).toEqual({
      id: deployed['build_id'],
      slug: 'told',
      status: 'succeeded',
      error: null,
      version: 1,
      started_at: expect.any(String),
      ended_at: expect.any(String),
    });
    const { body } = await server.manage(
      'GET',
      `/functions/told/builds/${String(deployed['build_id'])}/logs`,
    );
    const lines = body as unknown as { number: number; message: string }[];
    expect(lines.map(({ number }) => number)).toEqual(lines.map((_, index) => index + 1));
    expect(lines.map(({ message }) => message)).toEqual(
      expect.arrayContaining([
        'Reading what it imports',
        'Checking types',
        'Bundling',
        'Deployment 1 is active',
      ]),
    );
  });

  it('tells which variables the code reads that it was not granted, and how to declare them', async () => {
    await server.manage('POST', '/secrets', [
      { name: 'STRIPE_KEY', value: 's' },
      { name: 'GRANTED_KEY', value: 's' },
      { name: 'UNREAD_KEY', value: 's' },
    ]);
    const names = ['SUPABASE_SERVICE_ROLE_KEY', 'SUPABASE_DB_URL', 'STRIPE_KEY', 'GRANTED_KEY'];
    const source = `const keys = ${JSON.stringify(names)}.map((name) => Deno.env.get(name));
      Deno.serve(() => new Response(String(keys)));`;
    const told = async (permissions: object) => {
      const deployed = await server.deploy('reader', source, { permissions });
      const path = `/functions/reader/builds/${String(deployed['build_id'])}/logs`;
      const lines = (await server.manage('GET', path)).body as unknown as { message: string }[];
      return lines.map(({ message }) => message).filter((message) => message.startsWith('reads '));
    };
    expect(await told({ secrets: ['GRANTED_KEY'] })).toEqual([
      'reads STRIPE_KEY, which galley.toml does not grant: declare permissions.secrets',
      'reads SUPABASE_SERVICE_ROLE_KEY, which galley.toml does not grant: declare permissions.service_role',
      'reads SUPABASE_DB_URL, which galley.toml does not grant: declare permissions.database_url, and the tables that it uses',
    ]);
    expect(await told({ secrets: ['GRANTED_KEY', 'STRIPE_KEY'], service_role: true })).toEqual([
      expect.stringContaining('SUPABASE_DB_URL'),
    ]);
    const everything = { secrets: ['GRANTED_KEY', 'STRIPE_KEY'], service_role: true, database_url: true };
    expect(await told(everything)).toEqual([]);
  });

  it('tells its log while it runs, and then the function', async () => {
    const response = await stream('live', answering('live'));
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const events = await all(eventsOf(response));
    expect(events[0]).toMatchObject({ event: 'build', data: { id: expect.any(String) } });
    expect(events.slice(1, -1).map(({ event }) => event)).toEqual(
      expect.arrayContaining(['log', 'log', 'log']),
    );
    expect(events.at(-1)).toMatchObject({
      event: 'deployed',
      data: { slug: 'live', version: 1, build_id: events[0]!.data['id'] },
    });
    expect(await (await server.call('live')).text()).toBe('live');
  });

  it('that fails keeps its reason, and what answered before', async () => {
    await server.deploy('broken', answering('sound'));
    const events = await all(eventsOf(await stream('broken', 'Deno.serve(() => new Response(missing));')));
    const message = expect.stringMatching(/^index\.ts:1:31: Cannot find name 'missing'/);
    expect(events.at(-1)).toEqual({
      event: 'error',
      id: undefined,
      data: { code: 'BUNDLE_ERROR', status: 400, message },
    });
    const [build] = await buildsOf('broken');
    expect(build).toMatchObject({ status: 'failed', error: message, version: null });
    expect(await (await server.call('broken')).text()).toBe('sound');
  });

  it('can be followed by others while it runs, from the line on that they have seen', async () => {
    const deploying = eventsOf(await stream('followed', `${answering('followed')} type A = 1;`));
    const { data } = (await deploying.next()).value as SentEvent;
    const id = String(data['id']);
    const [whole, rest] = await Promise.all([
      follow('followed', id).then((response) => all(eventsOf(response))),
      all(deploying),
    ]);
    expect(rest.at(-1)!.event).toBe('deployed');
    expect(whole.at(-1)).toMatchObject({ event: 'ended', data: { id, status: 'succeeded', version: 1 } });
    const logs = whole.slice(0, -1).map((event) => event.data['message']);
    expect(logs.at(-1)).toBe('Deployment 1 is active');
    const again = await all(eventsOf(await follow('followed', id, { 'last-event-id': '2' })));
    expect(again.slice(0, -1).map((event) => event.data['message'])).toEqual(logs.slice(2));
  });

  it('whose bundler is killed fails with a clear message, deploys nothing, and the next one works', async () => {
    const events = eventsOf(await stream('killed', `${answering('killed')} type B = 1;`));
    await events.next();
    const { pid, status, limits: held } = await buildProcess(process.pid, 'check');
    expect(status).toMatch(/\nNoNewPrivs:\t1\n/);
    expect(held).toMatch(/Max data size +2684354560 /);
    expect(held).toMatch(/Max file size +268435456 /);
    process.kill(pid, 'SIGKILL');
    expect((await all(events)).at(-1)).toMatchObject({
      event: 'error',
      data: {
        code: 'BUILD_KILLED',
        status: 503,
        message: 'The bundler was ended from outside (SIGKILL). Nothing was deployed; deploy again.',
      },
    });
    expect((await server.manage('GET', '/functions/killed')).status).toBe(404);
    expect((await buildsOf('killed'))[0]).toMatchObject({ status: 'failed', version: null });
    await server.deploy('killed', `${answering('killed')} type B = 1;`);
    expect(await (await server.call('killed')).text()).toBe('killed');
  });

  it('is deleted with its function, and otherwise only when there are many newer ones', async () => {
    await server.deploy('many', answering('many'));
    await server.platform.database.query(
      `insert into builds (id, project_ref, function_slug, status, started_at)
       select gen_random_uuid(), 'local', 'many', 'failed', now() - n * interval '1 hour'
       from generate_series(1, $1) n`,
      [limits.keptBuilds + 5],
    );
    await server.deploy('many', answering('more'));
    const { rowCount } = await server.platform.database.query(
      `select from builds where function_slug = 'many'`,
    );
    expect(rowCount).toBe(limits.keptBuilds);
    await server.manage('DELETE', '/functions/many');
    expect(await buildsOf('many')).toEqual([]);
  });

  it('is not found under another function, nor by what is no id', async () => {
    const { build_id: id } = await server.deploy('own', answering('own'));
    expect((await server.manage('GET', `/functions/told/builds/${String(id)}`)).status).toBe(404);
    expect((await server.manage('GET', `/functions/own/builds/${newId()}/logs`)).status).toBe(404);
    expect((await server.manage('GET', '/functions/own/builds/latest')).status).toBe(400);
  });
});

/** A file system of 512 kB, where this process may make one. */
function smallDisk(): string | undefined {
  const path = mkdtempSync(join(tmpdir(), 'gs-'));
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=512k,mode=1777', 'none', path]).status === 0)
    return path;
  rmSync(path, { recursive: true });
  return undefined;
}

/** A server that is a process of its own, on databases of its own. */
async function installation(more: Record<string, string> = {}) {
  const databases = await cloneDatabases();
  const dataDir = await mkdtemp(join(tmpdir(), 'gd-'));
  await chmod(dataDir, 0o711);
  const key = 'sb_secret_of_this_installation';
  const environment = {
    DATABASE_URL: databases.projectUrl,
    GALLEY_PLATFORM_DB: databases.platformName,
    GALLEY_MASTER_KEY: testEnvironment.masterKey,
    GALLEY_DATA_DIR: dataDir,
    SUPABASE_SECRET_KEY: key,
    LOG_LEVEL: 'warn',
    ...more,
  };
  return {
    key,
    start: () => startProcess({ program: 'server', environment }),
    async manage(galley: GalleyProcess, path: string, init: RequestInit = {}) {
      const headers = { authorization: `Bearer ${key}` };
      const response = await fetch(`${galley.url}/v1/projects/local/functions${path}`, { ...init, headers });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    },
    async query(text: string, values: unknown[] = []) {
      const url = new URL(databases.projectUrl);
      url.pathname = `/${databases.platformName}`;
      const client = new pg.Client({ connectionString: url.href });
      await client.connect();
      await client.query(text, values).finally(() => client.end());
    },
    async remove() {
      await databases.drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

describe('a build whose server is killed', () => {
  it('ends as failed, with its process, and nothing is half-deployed', async () => {
    const { key, start, manage, query, remove } = await installation();
    const first = await start();
    const events = eventsOf(await deployStreaming(first.url, key, 'half', answering('half')));
    const { data } = (await events.next()).value as SentEvent;
    const { pid, status } = await buildProcess(first.pid, 'check');
    if (process.getuid?.() === 0) expect(status).toMatch(/\nUid:\t65533\t65533\t/);
    const cutOff = expect(all(events)).rejects.toThrow();
    await first.end('SIGKILL');
    await cutOff;
    await eventually(() => !existsSync(`/proc/${pid}`), { what: 'the end of the bundler' });

    const second = await start();
    const path = `/half/builds/${String(data['id'])}`;
    expect(await manage(second, path)).toMatchObject({ body: { status: 'running' } });
    // As if the time had passed that a silent process is waited for.
    await query(`update builds set alive_at = alive_at - $1 * interval '1 millisecond'`, [
      limits.buildSilenceMs,
    ]);
    expect(await manage(second, path)).toMatchObject({
      body: { status: 'failed', error: expect.stringContaining('Nothing was deployed; deploy again') },
    });
    expect((await manage(second, '/half')).status).toBe(404);
    const again = await all(eventsOf(await deployStreaming(second.url, key, 'half', answering('half'))));
    expect(again.at(-1)).toMatchObject({ event: 'deployed', data: { version: 1 } });
    await second.end('SIGTERM');
    await remove();
  });
});

describe('a build on a full disk', () => {
  const small = smallDisk();
  const tablespace = `small_${randomBytes(4).toString('hex')}`;
  afterAll(() => {
    if (small === undefined) return;
    spawnSync('umount', [small]);
    rmSync(small, { recursive: true });
  });

  (small ? it : it.skip)('fails with a clear message and deploys nothing', async () => {
    const { start, manage, remove } = await installation({ TMPDIR: small! });
    const galley = await start();
    const deploy = (source: string) =>
      manage(galley, '/deploy?slug=large', { method: 'POST', body: formOf('large', source) });
    expect(await deploy(`${answering('large')} // ${'x'.repeat(1024 * 1024)}`)).toMatchObject({
      status: 507,
      body: { code: 'insufficient_storage', message: expect.stringContaining('Nothing was deployed') },
    });
    expect(await manage(galley, '/large/builds')).toMatchObject({ body: [{ status: 'failed' }] });
    expect((await manage(galley, '/large')).status).toBe(404);
    expect(await deploy(answering('large'))).toMatchObject({ status: 201, body: { version: 1 } });
    await galley.end('SIGTERM');
    await remove();
  });

  (small ? it : it.skip)('fails in the same way when that is the disk of the database', async () => {
    const { start, manage, query, remove } = await installation();
    const galley = await start();
    const directory = join(small!, 'tables');
    const { uid, gid } = statSync(join(testEnvironment.dataDir, 'postgres'));
    mkdirSync(directory, { mode: 0o700 });
    chownSync(directory, uid, gid);
    await query(`create tablespace ${tablespace} location '${directory}'`);
    await query(`alter table deployments set tablespace ${tablespace}`);
    const deploy = (source: string) =>
      manage(galley, '/deploy?slug=large', { method: 'POST', body: formOf('large', source) });
    // What cannot be compressed.
    const noise = `// ${randomBytes(1024 * 1024).toString('base64')}`;
    expect(await deploy(`${answering('large')} ${noise}`)).toMatchObject({
      status: 507,
      body: { code: 'insufficient_storage', message: expect.stringContaining('Nothing was deployed') },
    });
    expect(await manage(galley, '/large/builds')).toMatchObject({
      body: [{ status: 'failed', error: expect.stringContaining('no space left') }],
    });
    expect((await manage(galley, '/large')).status).toBe(404);
    await query('alter table deployments set tablespace pg_default');
    await query(`drop tablespace ${tablespace}`);
    expect(await deploy(answering('large'))).toMatchObject({ status: 201, body: { version: 1 } });
    await galley.end('SIGTERM');
    await remove();
  });
});
