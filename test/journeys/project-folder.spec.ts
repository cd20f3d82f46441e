import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { functionSourceFiles } from '../../apps/server/src/project-folder/deploy-functions.js';
import { eventually } from '../support/eventually.js';
import { startProcess, type GalleyProcess } from '../support/galley-process.js';

const handler = (text: string) => `import { excited } from '../_shared/excited.ts';
Deno.serve(() => new Response(excited('${text}')));\n`;

describe('a project folder', () => {
  let root: string;
  let dataDir: string;
  let galley: GalleyProcess;
  const key = 'sb_publishable_of_this_test';
  const secretKey = 'sb_secret_of_this_test';

  const write = async (path: string, text: string) => {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), text);
  };
  const call = async (path: string) => {
    const response = await fetch(`${galley.url}${path}`, {
      headers: { apikey: key, authorization: `Bearer ${key}` },
    });
    return { status: response.status, text: await response.text() };
  };
  const start = async () => {
    galley = await startProcess({
      program: 'cli',
      args: ['start', root],
      environment: {
        GALLEY_DATA_DIR: dataDir,
        SUPABASE_PUBLISHABLE_KEY: key,
        SUPABASE_SECRET_KEY: secretKey,
      },
    });
  };

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'galley-folder-'));
    dataDir = await mkdtemp(join(tmpdir(), 'galley-data-'));
    await write(
      'supabase/config.toml',
      [
        'project_id = "x"',
        '[db.seed]',
        'sql_paths = ["./seeds/*.sql"]',
        '[auth]',
        'enable_signup = false',
        '[functions.hello]',
        'verify_jwt = false',
        '[studio]',
        'enabled = true',
      ].join('\n'),
    );
    await write('supabase/migrations/1_greetings.sql', 'create table public.greetings (word text);');
    await write('supabase/migrations/2_more.sql', 'alter table public.greetings add column language text;');
    await write('supabase/functions/.env', 'LOCAL_SECRET=not for the database\n');
    await write('supabase/seeds/words.sql', "insert into public.greetings values ('hello', 'en');");
    await write(
      'supabase/functions/_shared/excited.ts',
      'export const excited = (text: string) => `${text}!`;\n',
    );
    await write('supabase/functions/hello/index.ts', handler('one'));
    await start();
  }, 60_000);
  afterAll(async () => {
    await galley.end('SIGTERM');
    await rm(root, { recursive: true, force: true });
    await rm(dataDir, { recursive: true, force: true });
  });

  it('has its migrations applied in order and its seed run, and its functions deployed', async () => {
    expect(JSON.parse((await call('/rest/v1/greetings')).text)).toEqual([{ word: 'hello', language: 'en' }]);
    expect(await call('/functions/v1/hello')).toEqual({ status: 200, text: 'one!' });
  });

  it('follows config.toml in what it can, and says which keys have no effect', async () => {
    // verify_jwt = false: no key is needed.
    expect((await fetch(`${galley.url}/functions/v1/hello`)).status).toBe(200);
    expect(
      await (await fetch(`${galley.url}/auth/v1/settings`, { headers: { apikey: key } })).json(),
    ).toMatchObject({
      disable_signup: true,
    });
    expect(galley.output()).toContain('studio.enabled');
  });

  it('keeps local secrets out of deployments, and says that they have no effect', async () => {
    const deployments = await fetch(`${galley.url}/v1/projects/local/functions/hello/deployments`, {
      headers: { authorization: `Bearer ${secretKey}` },
    });
    expect(deployments.status).toBe(200);
    expect(galley.output()).toContain('functions/.env');
    const stored = await functionSourceFiles(root, 'hello');
    expect([...stored.keys()].toSorted()).toEqual([
      'functions/_shared/excited.ts',
      'functions/hello/index.ts',
    ]);
  });

  it('has a function deployed again when its file changes, while the server runs', async () => {
    await write('supabase/functions/hello/index.ts', handler('two'));
    await eventually(async () => (await call('/functions/v1/hello')).text === 'two!', {
      what: 'the new answer',
    });
  });

  it('has a function deployed again when a file that it shares changes', async () => {
    await write(
      'supabase/functions/_shared/excited.ts',
      'export const excited = (text: string) => `${text}!!`;\n',
    );
    await eventually(async () => (await call('/functions/v1/hello')).text === 'two!!', {
      what: 'the new answer',
    });
  });

  it('keeps what runs when a change does not compile, and says where it is wrong', async () => {
    await write('supabase/functions/hello/index.ts', `${handler('three')}const n: number = 'text';\n`);
    await eventually(() => /not deployed/.test(galley.output()), { what: 'the complaint' });
    expect(galley.output()).toMatch(/hello\/index\.ts:3/);
    expect(await call('/functions/v1/hello')).toEqual({ status: 200, text: 'two!!' });
    await write('supabase/functions/hello/index.ts', handler('three'));
    await eventually(async () => (await call('/functions/v1/hello')).text === 'three!!', {
      what: 'the mended one',
    });
  });

  it('says that a function which left it is still deployed, and how to delete it', async () => {
    await write('supabase/functions/old/index.ts', handler('old'));
    await eventually(async () => (await call('/functions/v1/old')).text === 'old!!', {
      what: 'the function',
    });
    await rm(join(root, 'supabase/functions/old'), { recursive: true });
    await eventually(() => galley.output().includes('DELETE /v1/projects/local/functions/old'), {
      what: 'the warning',
    });
    expect(await call('/functions/v1/old')).toEqual({ status: 200, text: 'old!!' });
  });

  it('has a new migration applied at the next start, and neither the old ones nor the seed again', async () => {
    await galley.end('SIGTERM');
    await write('supabase/migrations/3_rename.sql', "update public.greetings set language = 'british';");
    await start();
    expect(JSON.parse((await call('/rest/v1/greetings')).text)).toEqual([
      { word: 'hello', language: 'british' },
    ]);
  });

  it('is refused with the line of the migration that PostgreSQL refuses', async () => {
    await galley.end('SIGTERM');
    await write('supabase/migrations/4_wrong.sql', 'select 1;\nselect wrong;\n');
    await expect(start()).rejects.toThrow(
      'Migration 4_wrong.sql failed: column "wrong" does not exist (line 2)',
    );
    await rm(join(root, 'supabase/migrations/4_wrong.sql'));
    await start();
  });
});
