import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'smol-toml';
import { parseManifest } from '#libs/functions';
import { parseConfig, repositoryRoot } from '#libs/platform';
import { startProcess, type GalleyProcess } from '../support/galley-process.js';

const pages = [
  'README.md',
  'ARCHITECTURE.md',
  ...readdirSync(join(repositoryRoot, 'docs')).map((name) => `docs/${name}`),
  ...readdirSync(join(repositoryRoot, 'libs'))
    .map((name) => `libs/${name}/README.md`)
    .filter((path) => existsSync(join(repositoryRoot, path))),
].map((path) => ({ path, text: readFileSync(join(repositoryRoot, path), 'utf8') }));

const blocks = (language: string) =>
  pages.flatMap(({ path, text }) =>
    [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map((block) => ({
      path,
      text: block[1]!,
    })),
  );

/** What stands behind `$ `, with the lines that it goes on in. */
const commands = blocks('console').flatMap(({ path, text }) =>
  [...text.matchAll(/^\$ ((?:.*\\\n)*.*)$/gm)].map((command) => ({ path, command: command[1]! })),
);

/** Supabase's own commands: what they send is tried in test/functions/, they are not among our packages. */
const isSupabases = (command: string) => /^(supabase|export) /.test(command);

/** Their commands want data of their own: test/data/policies-doc.spec.ts. */
const hasOwnTest = new Set(['docs/policies.md']);

describe('the documentation', () => {
  let galley: GalleyProcess;
  let dataDir: string;
  let root: string;
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'galley-docs-'));
    root = await mkdtemp(join(tmpdir(), 'galley-docs-folder-'));
    await writeFile(join(root, 'index.ts'), `Deno.serve(() => new Response('hello'));`);
    galley = await startProcess({
      program: 'cli',
      args: ['start', 'examples/avatars'],
      environment: { GALLEY_DATA_DIR: dataDir },
    });
  }, 120_000);
  afterAll(async () => {
    await galley.end('SIGTERM');
    for (const path of [dataDir, root]) await rm(path, { recursive: true, force: true });
  });

  const type = (shown: string) => {
    const command = shown.replace(/^curl /, 'curl --fail-with-body ');
    const { secretKey } = JSON.parse(readFileSync(join(dataDir, 'connection.json'), 'utf8')) as {
      secretKey: string;
    };
    const { PATH, HOME } = process.env;
    return spawnSync('sh', ['-c', command], {
      // In the clone, where `npx galley` is Galley; what plain HTTP sends lies in a folder of its own.
      cwd: command.startsWith('curl') ? root : repositoryRoot,
      encoding: 'utf8',
      env: {
        PATH,
        HOME,
        GALLEY_DATA_DIR: dataDir,
        GALLEY_URL: galley.url,
        GALLEY_ACCESS_TOKEN: secretKey,
      },
    });
  };

  it('shows commands that work', () => {
    const ours = commands.filter(({ path, command }) => !isSupabases(command) && !hasOwnTest.has(path));
    expect(ours.length).toBeGreaterThan(10);
    for (const { path, command } of ours) {
      const { status, stdout, stderr } = type(command);
      expect({ path, command, status, said: status === 0 ? '' : stdout + stderr }).toEqual({
        path,
        command,
        status: 0,
        said: '',
      });
    }
  }, 180_000);

  it('has an answer from the function that plain HTTP deployed', async () => {
    const { publishableKey } = JSON.parse(readFileSync(join(dataDir, 'connection.json'), 'utf8')) as {
      publishableKey: string;
    };
    const response = await fetch(`${galley.url}/functions/v1/hello`, { headers: { apikey: publishableKey } });
    expect([response.status, await response.text()]).toEqual([200, 'hello']);
  });

  it('shows a galley.toml that Galley takes', () => {
    const manifests = blocks('toml').map(
      ({ text }) => parse(text) as { functions?: Record<string, unknown> },
    );
    expect(manifests.length).toBeGreaterThan(3);
    for (const { functions = {} } of manifests) {
      for (const [name, manifest] of Object.entries(functions)) parseManifest(name, manifest);
    }
  });

  it('shows an environment that Galley takes', () => {
    const shown = blocks('env').flatMap(({ text }) => text.trim().split('\n'));
    expect(shown.length).toBeGreaterThan(0);
    for (const line of shown) {
      const [, name, value] = /^(\w+)=(.*)$/.exec(line)!;
      expect(parseConfig({ [name!]: value }).unused).toEqual([]);
    }
  });

  it('shows every setting of a function, with the default that it has', () => {
    const { text } = blocks('toml').find(({ path }) => path === 'docs/functions.md')!;
    const { functions } = parse(text) as { functions: Record<string, Record<string, unknown>> };
    const shown = parseManifest('thumbnails', functions['thumbnails']);
    const { on, schedule, permissions, ...defaults } = parseManifest('thumbnails', {});
    expect(shown).toMatchObject({ ...defaults, on: [{ event: 'object.created', bucket: 'avatars' }] });
    expect(Object.keys(shown.permissions).toSorted()).toEqual(Object.keys(permissions).toSorted());
    expect(shown.permissions.service_role).toBe(permissions.service_role);
    expect([on, schedule]).toEqual([[], []]);
    expect(shown.schedule[0]).toMatchObject({ overlap: 'skip', missed: 'last' });
  });

  it('names only files and folders that exist', () => {
    const named = pages.flatMap(({ path, text }) => [
      ...[...text.matchAll(/`((?:apps|libs|prisma|bench|scripts|examples|test|docs)\/[^`*<>\s]*)`/g)].map(
        (match) => ({ path, target: join(repositoryRoot, match[1]!) }),
      ),
      ...[...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) => ({
        path,
        target: resolve(repositoryRoot, dirname(path), match[1]!),
      })),
    ]);
    expect(named.length).toBeGreaterThan(60);
    expect(named.filter(({ target }) => !existsSync(target))).toEqual([]);
  });

  it('can be found from the README, every page of it', () => {
    const isLinked = (path: string) =>
      pages.some((page) => page.path === 'README.md' && page.text.includes(`](${path})`));
    const docs = pages.map(({ path }) => path).filter((path) => path.startsWith('docs/'));
    expect(docs.filter((path) => !isLinked(path))).toEqual([]);
  });
});
