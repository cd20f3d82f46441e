import { afterAll, describe, expect, it } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { repositoryRoot } from '#libs/platform';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/server.js';

const readme = readFileSync(join(repositoryRoot, 'README.md'), 'utf8');
const commands = [...readme.matchAll(/^```sh\n([\s\S]*?)^```/gm)]
  .flatMap((block) => block[1]!.split('\n'))
  .map((line) => line.split('#')[0]!.trim())
  .filter((line) => line !== '');

describe('the README', () => {
  const started: ChildProcess[] = [];
  const directories: string[] = [];
  afterAll(async () => {
    for (const child of started) if (child.exitCode === null) process.kill(-child.pid!, 'SIGINT');
    await Promise.all(
      started.map(
        (child) =>
          child.exitCode ?? child.signalCode ?? new Promise((resolve) => child.once('exit', resolve)),
      ),
    );
    await Promise.all(directories.map((directory) => rm(directory, { recursive: true, force: true })));
  });

  /** Types `command` into a shell of its own. */
  const type = (command: string, environment: Record<string, string>) => {
    const child = spawn('sh', ['-c', command], {
      cwd: repositoryRoot,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...environment },
      detached: true,
    });
    started.push(child);
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => void (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => void (output += chunk.toString()));
    return { child, output: () => output };
  };
  const newEnvironment = async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'galley-readme-'));
    directories.push(dataDir);
    return { GALLEY_DATA_DIR: dataDir, PORT: String(await freePort()), LOG_LEVEL: 'warn' };
  };
  const thumbnailsIn = async (environment: { GALLEY_DATA_DIR: string }) =>
    (await readdir(join(environment.GALLEY_DATA_DIR, 'demo'))).toSorted();
  const allThumbnails = ['dandelion', 'dogs', 'fig'].flatMap((name) => [
    `${name}-256.webp`,
    `${name}-512.webp`,
    `${name}-64.webp`,
  ]);

  /** Runs the README's example as it stands there, but for the address and the key. */
  const runExample = async (environment: { GALLEY_DATA_DIR: string }) => {
    const { url, publishableKey } = JSON.parse(
      readFileSync(join(environment.GALLEY_DATA_DIR, 'connection.json'), 'utf8'),
    ) as Record<string, string>;
    const example = /^```js\n([\s\S]*?)^```/m.exec(readme)![1]!;
    const lines = example
      .replace('http://127.0.0.1:54321', url!)
      .replace('sb_publishable_…', publishableKey!);
    const file = join(repositoryRoot, 'dist', 'readme-example.mjs');
    await writeFile(file, `${lines}console.log(JSON.stringify(profile));`);
    const run = type(`${process.execPath} ${file}`, {});
    await new Promise((resolve) => run.child.once('exit', resolve));
    return JSON.parse(run.output()) as { error: unknown; data: { avatar_urls: object } };
  };

  it('names no command that is not tried here', () => {
    expect(commands).toEqual(['npm start', 'npm test', 'npm run demo', 'npm start -- examples/avatars']);
  });

  it.each(['npm start', 'npm start -- examples/avatars'])(
    '`%s` starts a server against which `npm run demo` plays the story',
    async (command) => {
      const environment = await newEnvironment();
      const server = type(command, environment);
      await eventually(() => server.output().includes('Stop:'), { within: 60_000, what: 'the welcome' });
      const demo = type('npm run demo', environment);
      await new Promise((resolve) => demo.child.once('exit', resolve));
      expect(demo.output()).toContain(`Open the thumbnails: ${join(environment.GALLEY_DATA_DIR, 'demo')}`);
      for (const step of ['sign-up', 'upload', 'function', '256 px', 'profile row', 'cost']) {
        expect(demo.output()).toMatch(new RegExp(`${step} +\\d+`));
      }
      expect(await thumbnailsIn(environment)).toEqual(allThumbnails);
      if (command.includes('examples')) {
        expect(await runExample(environment)).toMatchObject({
          error: null,
          data: { avatar_urls: expect.any(Object) },
        });
      }
      const picture = sharp(await readFile(join(environment.GALLEY_DATA_DIR, 'demo', 'dogs-256.webp')));
      expect(await picture.metadata()).toMatchObject({ width: 256, height: 256 });
    },
    120_000,
  );

  it('`npm run demo` starts a server itself where none runs, and ends with nothing left', async () => {
    const environment = await newEnvironment();
    const demo = type('npm run demo', environment);
    const code = await new Promise((resolve) => demo.child.once('exit', resolve));
    expect(demo.output()).toContain('No server is running; starting one for the demo.');
    expect(code).toBe(0);
    expect(await thumbnailsIn(environment)).toEqual(allThumbnails);
    expect(existsSync(join(environment.GALLEY_DATA_DIR, 'galley.pid'))).toBe(false);
  }, 120_000);
});
