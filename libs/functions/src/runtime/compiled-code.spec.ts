import { afterEach, beforeEach, expect, it } from '@jest/globals';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turnOfEvents } from 'node:timers/promises';
import { keepCompiledCode } from './compiled-code.js';
import type { DeploymentDirectory } from './deployment-directory.js';

const names = ['v8_code_cache_v2', 'dep_analysis_cache_v2'].flatMap((name) => [
  name,
  `${name}-shm`,
  `${name}-wal`,
]);

let root: string;
let from: string;
let deployment: DeploymentDirectory;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'galley-compiled-'));
  from = join(root, 'from');
  const path = join(root, 'deployments', 'one');
  deployment = {
    path,
    denoDirectory: join(path, 'deno'),
    compiledDirectory: join(path, 'compiled'),
  } as DeploymentDirectory;
  mkdirSync(from);
  mkdirSync(deployment.denoDirectory, { recursive: true });
  for (const name of names) writeFileSync(join(from, name), `compiled ${name}`);
  writeFileSync(join(deployment.denoDirectory, names[0]!), 'empty');
  writeFileSync(join(deployment.denoDirectory, 'other'), 'other');
});
afterEach(() => rmSync(root, { recursive: true }));

const textOf = (name: string) => readFileSync(join(deployment.compiledDirectory, name), 'utf8');

it('is kept beside what a deployment began with, once', async () => {
  await keepCompiledCode(from, deployment);
  expect(readdirSync(deployment.compiledDirectory).toSorted()).toEqual([...names, 'other'].toSorted());
  expect(textOf(names[0]!)).toBe(`compiled ${names[0]}`);
  expect(readFileSync(join(deployment.denoDirectory, names[0]!), 'utf8')).toBe('empty');
  writeFileSync(join(from, names[0]!), 'later');
  await keepCompiledCode(from, deployment);
  expect(textOf(names[0]!)).toBe(`compiled ${names[0]}`);
});

it('is there whole or not at all, whoever looks and whoever else keeps it', async () => {
  const large = Buffer.alloc(4 * 1024 * 1024, 1);
  for (const name of names) writeFileSync(join(from, name), large);
  const ended = new AbortController();
  const all = Promise.allSettled([1, 2, 3].map(() => keepCompiledCode(from, deployment)));
  void all.then(() => ended.abort());
  while (!ended.signal.aborted) {
    await turnOfEvents();
    if (!existsSync(deployment.compiledDirectory)) continue;
    const sizes = names.map((name) => statSync(join(deployment.compiledDirectory, name)).size);
    expect(sizes).toEqual(names.map(() => large.length));
  }
  expect(readdirSync(join(root, 'deployments'))).toEqual(['one']);
});

it('is not kept when a part is missing or leads elsewhere', async () => {
  rmSync(join(from, names[0]!));
  await keepCompiledCode(from, deployment);
  writeFileSync(join(root, 'secret'), 'secret');
  symlinkSync(join(root, 'secret'), join(from, names[0]!));
  await keepCompiledCode(from, deployment);
  expect(existsSync(deployment.compiledDirectory)).toBe(false);
});
