import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { cloneDatabases, type TestDatabases } from '../support/database.js';
import { redisUrl, testEnvironment } from '../support/environment.js';
import { eventually } from '../support/eventually.js';
import { startProcess, type GalleyProcess } from '../support/galley-process.js';
import { build } from './manifests.js';

const rows = 1_200;
const budget = 100;
const recoveryMs = 120_000;

/** What the manifests set for a container; what says where things are is each installation's own. */
function settingsOf(component: 'server' | 'worker'): Record<string, string> {
  const manifests = build('example');
  const { data } = manifests.find(
    ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'galley',
  )!;
  const deployment = manifests.find(
    ({ kind, metadata }) => kind === 'Deployment' && metadata.name === `galley-${component}`,
  )!;
  const env = deployment['spec'].template.spec.containers[0].env as { name: string; value: string }[];
  const all = {
    ...(data as Record<string, string>),
    ...Object.fromEntries(env.map(({ name, value }) => [name, value])),
  };
  return Object.fromEntries(Object.entries(all).filter(([name]) => !name.startsWith('S3_')));
}

describe('a server and two workers with the settings of the manifests, which share only databases', () => {
  const secretKey = `sb_secret_${randomBytes(12).toString('hex')}`;
  let databases: TestDatabases;
  let server: GalleyProcess;
  let workers: GalleyProcess[];
  let project: pg.Client;
  let platform: pg.Client;
  const directories: string[] = [];

  const settings = async (component: 'server' | 'worker', own: Record<string, string> = {}) => {
    const directory = await mkdtemp(join(testEnvironment.dataDir, `${component}-`));
    directories.push(directory);
    return {
      ...settingsOf(component),
      DATABASE_URL: databases.projectUrl,
      GALLEY_PLATFORM_DB: databases.platformName,
      GALLEY_MASTER_KEY: testEnvironment.masterKey,
      SUPABASE_SECRET_KEY: secretKey,
      SUPABASE_PUBLISHABLE_KEY: `sb_publishable_${secretKey.slice(-24)}`,
      ...(redisUrl !== undefined && { REDIS_URL: redisUrl }),
      GALLEY_DATA_DIR: directory,
      ...own,
    };
  };
  const manage = (method: string, path: string, body: FormData | string) =>
    fetch(`${server.url}/v1/projects/local${path}`, {
      method,
      body,
      headers: {
        authorization: `Bearer ${secretKey}`,
        ...(typeof body === 'string' && { 'content-type': 'application/json' }),
      },
    });
  const setBudget = async (most: number) => {
    const budgets = [{ function: 'handler', measure: 'invocations', most }];
    expect((await manage('PUT', '/budgets', JSON.stringify(budgets))).status).toBe(200);
  };
  const insert = (from: number, to: number) =>
    project.query('insert into public.jobs select generate_series($1::int, $2::int)', [from, to]);
  const counted = async (text: string) => (await platform.query<{ n: number }>(text)).rows[0]!.n;
  const invoked = () =>
    counted(
      `select count(*)::int as n from invocations where function_slug = 'handler' and status = 'succeeded'`,
    );
  const open = () =>
    counted(`select count(*)::int as n from deliveries where state in ('queued', 'running')`);

  beforeAll(async () => {
    databases = await cloneDatabases();
    project = new pg.Client(databases.projectUrl);
    platform = new pg.Client({
      connectionString: databases.projectUrl.replace(/\/[^/?]+(\?|$)/, `/${databases.platformName}$1`),
    });
    await Promise.all([project.connect(), platform.connect()]);
    await project.query('create table public.jobs (id integer primary key)');
    server = await startProcess({ program: 'server', environment: await settings('server', {}) });
    const own = { GALLEY_INTERNAL_URL: server.url, API_EXTERNAL_URL: server.url };
    workers = await Promise.all(
      [1, 2].map(async () => startProcess({ program: 'worker', environment: await settings('worker', own) })),
    );
    const form = new FormData();
    const galley = { on: [{ event: 'row.inserted', table: 'public.jobs' }], max_instances: 2 };
    form.append('metadata', JSON.stringify({ name: 'handler', entrypoint_path: 'index.ts', galley }));
    form.append(
      'file',
      new Blob(['Deno.serve(() => new Promise((resolve) => setTimeout(resolve, 50, new Response())));']),
      'index.ts',
    );
    const { status } = await manage('POST', '/functions/deploy?slug=handler', form);
    expect(status).toBe(201);
  }, 120_000);
  afterAll(async () => {
    await Promise.all([server, ...(workers ?? [])].map((process) => process?.end('SIGTERM')));
    await Promise.all([project?.end(), platform?.end()]);
    await databases?.drop();
    for (const path of directories) await rm(path, { recursive: true, force: true });
  }, 120_000);

  it(
    'stop at a budget together, and go on to the end when it is raised',
    async () => {
      await setBudget(budget);
      await insert(1, rows);
      let last = -1;
      await eventually(
        async () => {
          const now = await invoked();
          const rests = now === last && now >= budget;
          last = now;
          if (!rests) await delay(3_000);
          return rests;
        },
        { within: recoveryMs, what: 'both workers resting' },
      );
      // By what both began before they had heard of each other, and no more.
      expect(last).toBeLessThan(rows);
      expect(await open()).toBe(rows - last);
      await setBudget(rows * 10);
      await eventually(async () => (await open()) === 0, { within: recoveryMs });
      expect(await invoked()).toBe(rows);
      for (const worker of workers) expect(worker.output()).toContain('Scaled the events of handler');
    },
    3 * recoveryMs,
  );

  it(
    'lose nothing and do nothing twice when one of them is told to go',
    async () => {
      const before = await invoked();
      await insert(rows + 1, rows + 400);
      await eventually(async () => (await invoked()) > before + 20, { within: recoveryMs });
      const [going] = workers.splice(0, 1);
      expect(await going!.end('SIGTERM')).toBe(0);
      expect(await open()).toBeGreaterThan(0);
      await eventually(async () => (await open()) === 0, { within: recoveryMs });
      expect(await invoked()).toBe(before + 400);
      const failed = await counted(`select count(*)::int as n from invocations where status <> 'succeeded'`);
      expect(failed).toBe(0);
    },
    3 * recoveryMs,
  );
});
