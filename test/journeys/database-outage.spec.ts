import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createClient } from '@supabase/supabase-js';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { WebSocket } from 'undici';
import { eventually } from '../support/eventually.js';
import { startProcess, type GalleyProcess } from '../support/galley-process.js';

const files = {
  'galley.toml': `
[functions.witness]
[[functions.witness.on]]
event = "row.inserted"
table = "public.notes"
[functions.witness.permissions]
tables = { "public.seen" = ["insert"] }
`,
  'supabase/migrations/20260101000000_notes.sql': `
    create table public.notes (id int primary key);
    create table public.seen (id int primary key);`,
  'supabase/functions/witness/index.ts': `import { createClient } from 'npm:@supabase/supabase-js@2';
Deno.serve(async (request) => {
  const { record } = await request.json();
  const { SUPABASE_URL: url, SUPABASE_ANON_KEY: key } = Deno.env.toObject();
  const headers = { Authorization: request.headers.get('authorization')! };
  const { error } = await createClient(url, key, { global: { headers } }).from('seen').insert({ id: record.id });
  return new Response(error?.message, { status: error ? 500 : 200 });
});`,
};

const secretKey = 'sb_secret_of_this_test';

describe('The embedded PostgreSQL, when it cannot start again', () => {
  let root: string;
  let dataDir: string;
  let galley: GalleyProcess;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'galley-outage-'));
    dataDir = await mkdtemp(join(tmpdir(), 'galley-data-'));
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
    }
    galley = await startProcess({
      program: 'cli',
      args: ['start', root],
      environment: { GALLEY_DATA_DIR: dataDir, SUPABASE_SECRET_KEY: secretKey },
    });
  }, 60_000);
  afterEach(async () => {
    await galley.end('SIGTERM');
    for (const directory of [root, dataDir]) await rm(directory, { recursive: true, force: true });
  }, 60_000);

  const cluster = () => join(dataDir, 'postgres');
  const postmaster = () => Number(readFileSync(join(cluster(), 'postmaster.pid'), 'utf8').split('\n')[0]);
  /** As a disk that went away would leave it. */
  const breakCluster = async () => {
    await rename(join(cluster(), 'global'), join(cluster(), 'global.away'));
    process.kill(postmaster(), 'SIGKILL');
  };
  const mendCluster = () => rename(join(cluster(), 'global.away'), join(cluster(), 'global'));
  const hasTried = (attempts: number) => () => galley.output().includes(`"attempt":${attempts},`);

  it('is tried again until it does, and then all goes on; health says that it is away', async () => {
    const client = createClient(galley.url, secretKey, { realtime: { transport: WebSocket as never } });
    const insertAndSee = async (id: number) => {
      expect((await client.from('notes').insert({ id })).error).toBeNull();
      const isSeen = async () => (await client.from('seen').select().eq('id', id)).data?.length === 1;
      await eventually(isSeen, { within: 60_000, what: 'the event having reached its function' });
    };
    await insertAndSee(1);

    await breakCluster();
    await eventually(hasTried(22), { within: 60_000, what: 'more than the quick attempts' });
    const health = await fetch(`${galley.url}/health`);
    expect([health.status, await health.json()]).toEqual([
      503,
      { code: 'database_unavailable', message: 'The database cannot be reached just now' },
    ]);
    expect((await fetch(`${galley.url}/health/live`)).status).toBe(200);
    expect((await client.from('notes').select()).status).toBe(503);
    const headers = { authorization: `Bearer ${secretKey}` };
    const call = await fetch(`${galley.url}/functions/v1/witness`, { headers });
    expect([call.status, call.headers.get('retry-after'), call.headers.get('sb-error-code')]).toEqual([
      503,
      '1',
      'DATABASE_UNAVAILABLE',
    ]);
    expect(galley.output()).toMatch(/PostgreSQL did not start: .*postgres\.log/);

    await mendCluster();
    const isHealthy = async () => (await fetch(`${galley.url}/health`)).ok;
    await eventually(isHealthy, { within: 60_000, what: 'PostgreSQL being back' });
    expect(galley.output()).toContain('PostgreSQL is back');
    await insertAndSee(2);
  }, 240_000);

  it('does not keep the server from stopping', async () => {
    await breakCluster();
    await eventually(hasTried(2), { within: 60_000, what: 'attempts' });
    expect(await galley.end('SIGTERM')).toBe(0);
  }, 120_000);
});
