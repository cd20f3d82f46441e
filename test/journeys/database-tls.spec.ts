import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createClient } from '@supabase/supabase-js';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { WebSocket } from 'undici';
import { eventually } from '../support/eventually.js';
import { spawnProgram, startProcess, type GalleyProcess } from '../support/galley-process.js';
import { freePort } from '../support/server.js';
import { startTlsPostgres, type TlsPostgres } from '../support/tls-postgres.js';

/** Both drivers log in by themselves; the event's way leads over the outbox, LISTEN and the queue. */
const files = {
  'galley.toml': `
[functions.postgresjs.permissions]
database_url = true
tables = { "public.seen" = ["select"] }

[functions.nodepg]
[[functions.nodepg.on]]
event = "row.inserted"
table = "public.notes"
[functions.nodepg.permissions]
database_url = true
tables = { "public.seen" = ["insert"] }
`,
  'supabase/migrations/20260101000000_notes.sql': `
    create table public.notes (id int primary key);
    create table public.seen (id int primary key);`,
  'supabase/functions/postgresjs/index.ts': `import postgres from 'npm:postgres@3.4.7';
const sql = postgres(Deno.env.get('SUPABASE_DB_URL')!, { max: 1, idle_timeout: 5 });
Deno.serve(async () => Response.json(await sql\`select ssl from pg_stat_ssl where pid = pg_backend_pid()\`));`,
  'supabase/functions/nodepg/index.ts': `import pg from 'npm:pg@8.16.3';
Deno.serve(async (request) => {
  const client = new pg.Client({ connectionString: Deno.env.get('SUPABASE_DB_URL') });
  await client.connect();
  const { record } = await request.json();
  await client.query('insert into public.seen values ($1)', [record.id]);
  await client.end();
  return new Response();
});`,
};

const secretKey = 'sb_secret_of_this_test';

describe('A PostgreSQL that takes connections over TLS alone', () => {
  let postgres: TlsPostgres;
  /** One that asks its clients for a certificate as well. */
  let strict: TlsPostgres;
  let root: string;
  let running: GalleyProcess[] = [];

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'galley-tls-'));
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
    }
    postgres = await startTlsPostgres({ asksForCertificate: false });
    strict = await startTlsPostgres({ asksForCertificate: true });
  }, 120_000);
  afterAll(async () => {
    await Promise.all(running.map((one) => one.end('SIGTERM')));
    await postgres?.stop();
    await strict?.stop();
    await rm(root, { recursive: true, force: true });
  }, 60_000);

  const masterKey = randomBytes(32).toString('base64');
  const environment = async (databaseUrl: string) => ({
    DATABASE_URL: databaseUrl,
    GALLEY_MASTER_KEY: masterKey,
    GALLEY_DATA_DIR: await mkdtemp(join(root, 'data-')),
    SUPABASE_SECRET_KEY: secretKey,
  });

  /** What an installation on that database does: migrations, the data API, functions, events. */
  async function expectToWork(databaseUrl: string, id: number): Promise<void> {
    const galley = await startProcess({
      program: 'cli',
      args: ['start', root],
      environment: await environment(databaseUrl),
    });
    running.push(galley);
    const client = createClient(galley.url, secretKey, { realtime: { transport: WebSocket as never } });
    const called = await client.functions.invoke('postgresjs');
    expect([called.error, called.data]).toEqual([null, [{ ssl: true }]]);
    expect((await client.from('notes').insert({ id })).error).toBeNull();
    const isSeen = async () => (await client.from('seen').select().eq('id', id)).data?.length === 1;
    await eventually(isSeen, { within: 60_000, what: 'the function having written over its own connection' });
    expect(galley.output()).not.toContain('DeprecationWarning');
    await galley.end('SIGTERM');
    running = running.filter((one) => one !== galley);
  }

  it('is worked with when sslrootcert names its certificate', async () => {
    const { certificatePath: sslrootcert } = postgres;
    await expectToWork(postgres.url({ sslmode: 'verify-full', sslrootcert }), 1);
  }, 180_000);

  it('is worked with by its address', async () => {
    const { certificatePath: sslrootcert } = postgres;
    await expectToWork(postgres.url({ sslmode: 'verify-full', sslrootcert }, '127.0.0.1'), 2);
  }, 180_000);

  it('is worked with when its certificate is not to be verified', async () => {
    await expectToWork(postgres.url({ sslmode: 'no-verify' }), 3);
  }, 180_000);

  it('is worked with when it wants to see a certificate of its clients', async () => {
    const { certificatePath: sslcert, keyPath: sslkey } = strict;
    await expectToWork(strict.url({ sslmode: 'verify-full', sslrootcert: sslcert, sslcert, sslkey }), 4);
  }, 180_000);

  const refusal = async (databaseUrl: string) => {
    const port = await freePort();
    const options = { args: ['start'], environment: await environment(databaseUrl), port };
    const program = spawnProgram({ program: 'cli', ...options });
    expect(await program.ended).toBe(1);
    return program.output().trim();
  };

  it.each(['require', 'verify-full'])(
    'is refused by sslmode=%s, with what to do, when nobody vouches for its certificate',
    async (sslmode) => {
      expect(await refusal(postgres.url({ sslmode }))).toMatch(
        /does not answer: self-signed certificate\. .*`sslmode=verify-full&sslrootcert=…`.*`sslmode=no-verify`/,
      );
    },
    60_000,
  );

  it('is refused in one line when a file that the URL names is missing', async () => {
    const said = await refusal(postgres.url({ sslmode: 'verify-full', sslrootcert: '/nowhere.pem' }));
    expect(said).toMatch(/^DATABASE_URL cannot be used: .*nowhere\.pem.*$/);
  }, 60_000);
});
