import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { access, constants, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '#libs/platform';
import { eventually } from '../support/eventually.js';
import { startProcess, type GalleyProcess } from '../support/galley-process.js';

const main = join(repositoryRoot, 'dist', 'apps', 'cli', 'src', 'main.js');

/** What a command printed, and how it ended. */
interface Ran {
  status: number | null;
  out: string;
  err: string;
}

describe('the command line', () => {
  let galley: GalleyProcess;
  let dataDir: string;
  let root: string;
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'galley-data-'));
    root = await mkdtemp(join(tmpdir(), 'galley-folder-'));
    galley = await startProcess({
      program: 'cli',
      args: ['start'],
      environment: { GALLEY_DATA_DIR: dataDir },
    });
    await write('supabase/functions/_shared/word.ts', `export const word = 'hello';`);
    await write('supabase/functions/hello/index.ts', handler('one'));
    await write('supabase/functions/other/index.ts', `Deno.serve(() => new Response('other'));`);
    await write('galley.toml', '[functions.hello]\nverify_jwt = false\n');
  }, 60_000);
  afterAll(async () => {
    await galley.end('SIGTERM');
    for (const path of [dataDir, root]) await rm(path, { recursive: true, force: true });
  });

  const handler = (text: string) => `import { word } from '../_shared/word.ts';
Deno.serve(() => new Response(word + ' ${text}'));`;
  const write = async (path: string, text: string) => {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), text);
  };
  const run = (args: string[], environment: Record<string, string> = {}, input = ''): Ran => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
      cwd: root,
      input,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], GALLEY_DATA_DIR: dataDir, ...environment },
    });
    return { status, out: stdout, err: stderr };
  };
  const answer = async (slug: string) => {
    const response = await fetch(`${galley.url}/functions/v1/${slug}`);
    return response.ok ? response.text() : response.status;
  };

  it('is executable after each build', async () => {
    await access(main, constants.X_OK);
  });

  it('deploys one function, and tells of the build while it runs', async () => {
    const deployed = run(['functions', 'deploy', 'hello']);
    expect(deployed).toMatchObject({ status: 0, out: 'function hello: deployment 1\n' });
    expect(deployed.err).toMatch(/^ {2}hello: Checking types$/m);
    expect(await answer('hello')).toBe('hello one');
    expect(run(['functions', 'list']).out).toMatch(/^hello +1 +no +20\d\d-/m);
  });

  it('deploys all, and says which one has an error where', () => {
    const all = run(['functions', 'deploy']);
    expect(all.out).toContain('function other: deployment 1');
    const missing = run(['functions', 'deploy', 'nowhere']);
    expect(missing).toMatchObject({ status: 1, err: expect.stringContaining('has none of that name') });
  });

  it('goes back to an earlier deployment, and forward', async () => {
    await write('supabase/functions/hello/index.ts', handler('two'));
    expect(run(['functions', 'deploy', 'hello']).out).toBe('function hello: deployment 2\n');
    expect(await answer('hello')).toBe('hello two');
    expect(run(['functions', 'activate', 'hello', '1'])).toMatchObject({ status: 0 });
    expect(await answer('hello')).toBe('hello one');
    const { out } = run(['functions', 'deployments', 'hello']);
    expect(out).toMatch(/^2 +20.*\n1 +active +20/m);
    expect(run(['functions', 'activate', 'hello', '9'])).toMatchObject({
      status: 1,
      err: 'Function hello has no deployment 9\n',
    });
  });

  it('skips the check of types where it is told to', async () => {
    await write(
      'supabase/functions/other/index.ts',
      `const n: number = 'x'; Deno.serve(() => new Response(n));`,
    );
    const refused = run(['functions', 'deploy', 'other']);
    expect(refused).toMatchObject({
      status: 1,
      err: expect.stringContaining("functions/other/index.ts:1:7: Type 'string'"),
    });
    expect(run(['functions', 'deploy', 'other', '--no-check'])).toMatchObject({ status: 0 });
  });

  it('takes a function out of service, and brings it back', async () => {
    expect(run(['functions', 'deactivate', 'hello']).out).toBe('function hello: out of service\n');
    expect(await answer('hello')).toBe(404);
    expect(run(['functions', 'activate', 'hello', '2'])).toMatchObject({ status: 0 });
    expect(await answer('hello')).toBe('hello two');
  });

  it('downloads what is deployed, and replaces no file that differs unless it is told to', async () => {
    const elsewhere = join(root, 'elsewhere');
    const fetched = run(['functions', 'download', 'hello', '--folder', 'elsewhere']);
    expect(fetched.out.split('\n').toSorted().join('\n').trim()).toBe(
      'supabase/functions/_shared/word.ts\nsupabase/functions/hello/index.ts',
    );
    const index = join(elsewhere, 'supabase/functions/hello/index.ts');
    expect(await readFile(index, 'utf8')).toBe(handler('two'));
    await writeFile(index, 'mine');
    const refused = run(['functions', 'download', 'hello', '--folder', 'elsewhere']);
    expect(refused).toMatchObject({ status: 1, err: expect.stringContaining('is there and differs') });
    expect(await readFile(index, 'utf8')).toBe('mine');
    run(['functions', 'download', 'hello', '--folder', 'elsewhere', '--force']);
    expect(await readFile(index, 'utf8')).toBe(handler('two'));
  });

  it('tells what is on its way to functions, tries dead letters again and lets events wait', async () => {
    const sorry = `Deno.serve(() => new Response('sorry', { status: 500 }));`;
    await write('supabase/functions/moody/index.ts', sorry);
    const settings = await readFile(join(root, 'galley.toml'), 'utf8');
    await write('galley.toml', `${settings}[functions.moody]\nverify_jwt = false\nattempts = 1\n`);
    expect(run(['functions', 'deploy', 'moody'])).toMatchObject({ status: 0 });
    const callLater = async () => {
      const response = await fetch(`${galley.url}/functions/v1/moody`, {
        method: 'POST',
        headers: { prefer: 'respond-async' },
      });
      return ((await response.json()) as { id: string }).id;
    };
    const listed = (state: string) => run(['events', 'list', 'moody', '--state', state]).out;
    const id = await callLater();
    await eventually(() => listed('dead').includes(id), { within: 60_000 });
    expect(listed('dead')).toMatch(
      new RegExp(`^${id} +moody +http.call +dead +1 +20.*answered 500: sorry$`, 'm'),
    );
    const { out } = run(['events', 'show', id]);
    expect(out).toMatch(/^http\.call → moody: dead\n.*\nThe function answered 500: sorry\n\nTRY /);
    expect(out).toMatch(/^1 +20\S+ \S+ +1 +failed +500 +\d+ ms +[\da-f]{12} +The function/m);
    expect(out).toContain('"method": "POST"');
    expect(run(['events', 'show', 'nonsense'])).toMatchObject({
      status: 1,
      err: expect.stringContaining('no delivery'),
    });

    await write('supabase/functions/moody/index.ts', sorry.replace('500', '200'));
    run(['functions', 'deploy', 'moody']);
    expect(run(['events', 'pause', 'moody']).out).toBe('function moody: events wait\n');
    expect(run(['events', 'redrive', 'moody', '--error', 'sorry']).out).toBe(
      'function moody: 1 queued, 0 left\n',
    );
    expect(listed('queued')).toContain(id);
    const given = await callLater();
    expect(run(['events', 'cancel', given]).out).toBe(`${given}: cancelled\n`);
    expect(run(['events', 'resume', 'moody']).out).toBe('function moody: events go on\n');
    await eventually(() => listed('succeeded').includes(id), { within: 60_000 });
    expect(run(['events', 'redrive', id])).toMatchObject({ status: 1 });
    const replayed = run(['events', 'replay', id, '--deployment', '1']);
    expect(replayed.out).toMatch(/^[\da-f-]{36}: queued\n$/);
    const again = replayed.out.split(':')[0]!;
    await eventually(() => listed('dead').includes(again), { within: 60_000 });
  }, 120_000);

  it('tells what functions used, beside an always-on server', () => {
    const told = run(['usage']);
    expect(told.status).toBe(0);
    const [head, ...lines] = told.out.trimEnd().split('\n');
    expect(head).toMatch(/^FUNCTION +CALLS +GB-S +COST +PROJECTED +ALWAYS ON +SAVED$/);
    expect(lines.map((line) => line.split(/ +/)[0])).toEqual(['hello', 'moody', 'all']);
    expect(lines[0]).toMatch(/^hello +\d+ +\d+\.\d\d .* \d\d\.\d %$/);
    expect(told.err).toMatch(/in USD at the prices of AWS Lambda \(2026-\S+\); here it costs nothing/);
    expect(run(['usage', '--prices', 'supabase']).err).toMatch(/at the prices of Supabase Pro/);
    expect(run(['usage', '--from', 'soon'])).toMatchObject({
      status: 1,
      err: expect.stringContaining('from: expected a date'),
    });
  });

  it('prints the types of the database', () => {
    const told = run(['types', '--schema', 'public,storage']);
    expect(told).toMatchObject({ status: 0, err: '' });
    expect(told.out).toMatch(/^export type Json =\n/);
    expect(told.out).toMatch(/^ {2}storage: \{$/m);
    expect(told.out).toMatch(/\} as const\n$/);
  });

  it('sets secrets from a file or standard input, lists them by hash, and removes them', async () => {
    await write('production.env', 'API_KEY="top secret"\n# a comment\nOTHER=2\n');
    expect(run(['secrets', 'set', '--file', 'production.env'])).toEqual({
      status: 0,
      out: 'set: API_KEY, OTHER\n',
      err: '',
    });
    expect(run(['secrets', 'set', '--file', '-'], {}, 'PIPED=3')).toMatchObject({ status: 0 });
    const { out } = run(['secrets', 'list']);
    expect(out).toMatch(/^API_KEY +[0-9a-f]{64} +20/m);
    expect(out).toMatch(/^PIPED /m);
    expect(out).not.toContain('top secret');
    expect(run(['secrets', 'unset', 'OTHER', 'PIPED']).out).toBe('unset: OTHER, PIPED\n');
    expect(run(['secrets', 'list']).out).not.toMatch(/OTHER|PIPED/);
    const typed = run(['secrets', 'set', 'hunter2']);
    expect(typed).toMatchObject({ status: 1, err: expect.stringContaining('Expected NAME=value') });
    expect(typed.err).not.toContain('hunter2');
  });

  it('works from elsewhere with a personal access token, until that is revoked', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'galley-none-'));
    const created = run(['tokens', 'create', 'ci', '--expires-in-days', '7']);
    expect(created.out).toMatch(/^sbp_[0-9a-f]{40}\n$/);
    const remote = {
      GALLEY_DATA_DIR: elsewhere,
      GALLEY_URL: galley.url,
      GALLEY_ACCESS_TOKEN: created.out.trim(),
    };
    expect(run(['functions', 'list'], remote).out).toMatch(/^hello /m);
    expect(run(['functions', 'deploy', 'hello'], remote)).toMatchObject({ status: 0 });
    expect(run(['tokens', 'list'], remote)).toMatchObject({ status: 1, err: 'This needs the secret key\n' });
    expect(run(['tokens', 'list']).out).toMatch(/ ci +20\d\d-.* +20\d\d-.* +20\d\d-/);
    expect(run(['tokens', 'revoke', 'ci']).out).toBe('revoked: ci\n');
    expect(run(['functions', 'list'], remote)).toMatchObject({ status: 1, err: 'Invalid access token\n' });
    await rm(elsewhere, { recursive: true });
  });

  it('sends the key of its data directory to no other server', () => {
    const refused = run(['functions', 'list', '--url', 'http://127.0.0.1:9']);
    expect(refused).toMatchObject({
      status: 1,
      err: expect.stringContaining('There is no token for http://127.0.0.1:9'),
    });
    expect(run(['functions', 'list', '--url', 'http://127.0.0.1:9', '--token', 'x']).err).toContain(
      'does not answer',
    );
  });

  it('deletes a function', async () => {
    expect(run(['functions', 'delete', 'other']).out).toBe('function other: deleted\n');
    expect(run(['functions', 'delete', 'other'])).toMatchObject({
      status: 1,
      err: 'There is no function other\n',
    });
  });

  it.each([
    [['nothing'], 1, /there is no `nothing`.*galley deploy/s],
    [['functions', 'nothing'], 1, /there is no `functions nothing`/],
    [['functions'], 0, /^Usage:\n(?: {2}galley functions .*\n)+\n/],
    [['secrets', '--help'], 0, /^Usage:\n(?: {2}galley secrets .*\n)+\n/],
    [['functions', 'logs', '--level', 'loud'], 1, /^--level: expected debug, info, warn, error/],
    [['functions', 'logs', '--limit', 'x'], 1, /^--limit: expected a whole number/],
    [['functions', 'deploy', '--folder', '/nowhere'], 1, /is not a project folder.* with --folder/],
    [['functions', 'activate', 'hello'], 1, /^Usage: galley functions activate <name> <number>/],
    [['functions', 'activate', 'hello', 'one'], 1, /one is not the number of a deployment/],
    [['functions', 'list', '--no-check'], 1, /no-check/],
    [['start', '--token', 'x'], 1, /token/],
    [['tokens', 'create', 'x', '--expires-in-days', '0'], 1, /whole number from 1/],
    [['secrets', 'set'], 1, /No secret was given/],
    [['secrets', 'set', '--file', 'missing.env'], 1, /missing\.env cannot be read/],
    [['--help'], 0, /galley functions activate <name> <number>/],
    [['functions', 'deploy', '--help'], 0, /^galley functions deploy \[name…\]/],
  ])('answers `galley %j` with status %d', (args, status, told) => {
    const ran = run(args);
    expect(ran.status).toBe(status);
    expect(status === 0 ? ran.out : ran.err).toMatch(told);
  });
});
