import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { functionSources } from '../../apps/server/src/project-folder/function-sources.js';
import { eventually } from '../support/eventually.js';
import { spawnProgram, startProcess, type GalleyProcess } from '../support/galley-process.js';

const handler = (text: string) => `import { excited } from '../_shared/excited.ts';
Deno.serve(() => new Response(excited('${text}')));\n`;

const pageReader = `Deno.serve(async () =>
  new Response(await Deno.readTextFile(new URL('./html/hello.html', import.meta.url))));\n`;

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
    const { files } = await functionSources(root, 'hello');
    expect([...files.keys()].toSorted()).toEqual([
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

  it('has its other functions deployed when one of them is broken', async () => {
    await write('supabase/functions/aaa/index.ts', 'export default ((');
    await write('supabase/functions/zzz/index.ts', handler('zzz'));
    await eventually(async () => (await call('/functions/v1/zzz')).text === 'zzz!!', {
      what: 'the sound function',
    });
    expect(galley.output()).toContain('The function aaa was not deployed; it does not answer');
  });

  it('is served in spite of a broken function and an empty folder: what was deployed before answers', async () => {
    await galley.end('SIGTERM');
    await write('supabase/functions/zzz/index.ts', 'export default ((');
    await mkdir(join(root, 'supabase/functions/empty'));
    await start();
    expect(galley.output()).toMatch(/The function zzz was not deployed; deployment 1 still answers/);
    expect(galley.output()).toContain('functions/empty/index.ts (missing)');
    expect(await call('/functions/v1/zzz')).toEqual({ status: 200, text: 'zzz!!' });
    expect(await call('/functions/v1/hello')).toEqual({ status: 200, text: 'three!!' });
    for (const slug of ['aaa', 'zzz', 'empty'])
      await rm(join(root, 'supabase/functions', slug), { recursive: true });
  });

  it('has a function switched off by config.toml, and on again, while the server runs and when it starts', async () => {
    const configToml = await readFile(join(root, 'supabase/config.toml'), 'utf8');
    const off = configToml.replace('verify_jwt = false', 'verify_jwt = false\nenabled = false');
    const answersWith = (status: number) =>
      eventually(async () => (await call('/functions/v1/hello')).status === status, {
        what: `status ${status}`,
      });
    await write('supabase/config.toml', off);
    await answersWith(404);
    expect(JSON.parse((await call('/functions/v1/hello')).text)).toMatchObject({ code: 'NOT_FOUND' });
    await write('supabase/config.toml', configToml);
    await answersWith(200);
    await galley.end('SIGTERM');
    await write('supabase/config.toml', off);
    await start();
    expect(await call('/functions/v1/hello')).toMatchObject({ status: 404 });
    expect(galley.output()).toContain('its deployments are kept');
    await write('supabase/config.toml', configToml);
    await answersWith(200);
  });

  it('has the static files that config.toml names read by its functions, and says when there are none', async () => {
    const configToml = await readFile(join(root, 'supabase/config.toml'), 'utf8');
    const pages = (pattern: string) =>
      write('supabase/config.toml', `${configToml}\n[functions.pages]\nstatic_files = ["${pattern}"]\n`);
    await write('supabase/functions/pages/html/hello.html', '<h1>Hello</h1>');
    await write('supabase/functions/pages/index.ts', pageReader);
    await pages('./functions/pages/html/*.html');
    const answers = (text: string) =>
      eventually(async () => (await call('/functions/v1/pages')).text === text, { what: text });
    await answers('<h1>Hello</h1>');
    await write('supabase/functions/pages/html/hello.html', '<h1>Hello again</h1>');
    await answers('<h1>Hello again</h1>');
    await pages('./functions/pages/htm/*.html');
    await eventually(() => galley.output().includes('The static files \\"./functions/pages/htm/*.html\\"'), {
      what: 'the complaint',
    });
    await answers('<h1>Hello again</h1>');
    await rm(join(root, 'supabase/functions/pages'), { recursive: true });
    await write('supabase/config.toml', configToml);
  });

  it('keeps limits and permissions when galley.toml goes away while the server runs', async () => {
    const memoryMb = async () => {
      const response = await fetch(`${galley.url}/v1/projects/local/functions/hello`, {
        headers: { authorization: `Bearer ${secretKey}` },
      });
      return ((await response.json()) as { galley: { memory_mb: number } }).galley.memory_mb;
    };
    const galleyToml = '[functions.hello]\nmemory_mb = 64\n';
    await write('galley.toml', galleyToml);
    await eventually(async () => (await memoryMb()) === 64, { what: 'the limit' });
    await rm(join(root, 'galley.toml'));
    await eventually(() => galley.output().includes('galley.toml went away while the server ran'), {
      what: 'the complaint',
    });
    expect(await memoryMb()).toBe(64);
    await write('galley.toml', galleyToml.replace('64', '128'));
    await eventually(async () => (await memoryMb()) === 128, { what: 'the new limit' });
  });

  it('is brought to a running server by the command, which names what it refused and deploys the rest', async () => {
    const deploy = async (...args: string[]) => {
      const other = await mkdtemp(join(tmpdir(), 'galley-folder-'));
      const source = (path: string) => join(other, 'supabase/functions', path);
      for (const slug of ['first', 'second', 'off']) await mkdir(source(slug), { recursive: true });
      await writeFile(
        source('first/index.ts'),
        `const n: number = 'first'; Deno.serve(() => new Response(n));`,
      );
      await mkdir(source('second/html'));
      await writeFile(source('second/html/hello.html'), 'second');
      await writeFile(source('second/index.ts'), pageReader);
      await writeFile(source('off/index.ts'), `Deno.serve(() => new Response('off'));`);
      await writeFile(
        join(other, 'supabase/config.toml'),
        '[functions.off]\nenabled = false\n[functions.second]\nstatic_files = ["functions/second/**/*.html"]\n',
      );
      const environment = { GALLEY_DATA_DIR: dataDir };
      const command = spawnProgram({
        program: 'cli',
        args: ['deploy', other, ...args],
        environment,
        port: Number(new URL(galley.url).port),
      });
      const status = await command.ended;
      await rm(other, { recursive: true });
      return { status, output: command.output() };
    };
    const refused = await deploy();
    expect(refused.status).toBe(1);
    expect(refused.output).toMatch(
      /function first was not deployed: functions\/first\/index\.ts:1:7: Type 'string'/,
    );
    expect(refused.output).toContain('galley deploy --no-check');
    expect(refused.output).toContain('function second: deployment 1');
    expect(await call('/functions/v1/second')).toEqual({ status: 200, text: 'second' });
    expect(refused.output).toContain('function off: passed over, config.toml disables it');
    expect((await call('/functions/v1/off')).status).toBe(404);
    const unchecked = await deploy('--no-check');
    expect(unchecked).toMatchObject({
      status: 0,
      output: expect.stringContaining('function first: deployment 1'),
    });
    expect(await call('/functions/v1/first')).toEqual({ status: 200, text: 'first' });
  });

  it('has a new migration applied at the next start, and neither the old ones nor the seed again', async () => {
    await galley.end('SIGTERM');
    await write('supabase/migrations/3_rename.sql', "update public.greetings set language = 'british';");
    await start();
    expect(JSON.parse((await call('/rest/v1/greetings')).text)).toEqual([
      { word: 'hello', language: 'british' },
    ]);
  });

  it('is refused when a migration has the number of another one', async () => {
    await galley.end('SIGTERM');
    await write('supabase/migrations/3_other.sql', 'select 1;');
    await expect(start()).rejects.toThrow('has the number of 3_');
    await rm(join(root, 'supabase/migrations/3_other.sql'));
    await start();
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
