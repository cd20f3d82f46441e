import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleLimits } from '../../libs/functions/src/bundle/bundle-limits.js';
import { sweepSourceTrees } from '../../libs/functions/src/bundle/source-tree.js';
import { answerOfBundle, bundleSources, type BundleOptions } from './bundle-support.js';
import { useRuntime } from './runtime-support.js';

const used = useRuntime();
const outside = join(used.dataDir, 'outside');

beforeAll(() => {
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret.txt'), 'the-secret');
  writeFileSync(join(outside, 'secret.json'), '{"key":"the-secret"}');
  writeFileSync(join(outside, 'secret.cjs'), 'module.exports = "the-secret"');
  writeFileSync(join(outside, 'secret.css'), 'a{content:"the-secret"}');
});

const bundle = (files: Record<string, string>, options?: BundleOptions) =>
  bundleSources(used.dataDir, files, options);

const answerOf = (bundled: { code: Uint8Array }) => answerOfBundle(used.runtime, bundled);

describe('a bundle', () => {
  it('holds relative imports, shared modules, JSON and text, and runs', async () => {
    const bundled = await bundle({
      'hello/index.ts': `import { greet } from '../_shared/greet.ts';
        import data from './data.json' with { type: 'json' };
        import text from './text.txt' with { type: 'text' };
        const later = await import('./later.ts');
        Deno.serve(() => new Response([greet(data.name), text, later.default].join(' ')));`,
      'hello/data.json': '{"name":"Ada"}',
      'hello/text.txt': 'from text',
      'hello/later.ts': `export default 'and later' as string;`,
      '_shared/greet.ts': `export const greet = (name: string): string => 'hello ' + name;`,
    });
    expect(await answerOf(bundled)).toBe('hello Ada from text and later');
    expect(bundled).toMatchObject({
      sizeBytes: bundled.code.byteLength,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it('holds npm packages found through the import map of the nearest deno.json', async () => {
    const bundled = await bundle({
      'hello/deno.json': `{ // with comments
        "imports": { "supabase": "npm:@supabase/supabase-js@2", "shared/": "../_shared/", }, "lock": "../../x" }`,
      'hello/index.ts': `import { createClient } from 'supabase'; import { url } from 'shared/url.ts';
        const client = createClient(url, 'key');
        export default () => new Response(typeof client.from);`,
      '_shared/url.ts': `export const url = 'http://127.0.0.1:1';`,
    });
    expect(await answerOf(bundled)).toBe('function');
  });

  it('uses the import map that is named', async () => {
    const bundled = await bundle(
      {
        'hello/index.ts': `import { word } from 'word'; export default () => new Response(word);`,
        'maps/import_map.json': `{ "imports": { "word": "../_shared/word.ts" } }`,
        '_shared/word.ts': `export const word = 'mapped';`,
      },
      { importMap: 'maps/import_map.json' },
    );
    expect(await answerOf(bundled)).toBe('mapped');
  });

  it('is the same for the same sources, and quick the second time', async () => {
    const files = { 'hello/index.ts': `export default () => new Response('same' as string);` };
    const first = await bundle(files, { check: true });
    const second = await bundle(files, { check: true });
    expect(second.sha256).toBe(first.sha256);
    expect(second.durationMs).toBeLessThan(50);
  });
});

it('is made as well where there are no namespaces, and the log says so', async () => {
  const told: string[] = [];
  const bundled = await bundle(
    {
      'hello/index.ts': `import './other.ts'; export default () => new Response('open');`,
      'hello/other.ts': 'fail(',
    },
    { namespaces: false, log: (line) => told.push(line) },
  ).catch((error: Error) => error.message);
  expect(bundled).toMatch(/^hello\/other\.ts:1:6: /);
  expect(told[0]).toMatch(/^This host allows builds no namespaces/);
  const sound = await bundle(
    { 'hello/index.ts': `export default () => new Response('open');` },
    { namespaces: false, check: true },
  );
  expect(await answerOf(sound)).toBe('open');
});

it('is made again when the kept one was damaged on disk', async () => {
  const files = { 'hello/index.ts': `export default () => new Response('undamaged' as string);` };
  const first = await bundle(files);
  const directory = join(used.dataDir, 'cache', 'bundles');
  for (const name of readdirSync(directory)) truncateSync(join(directory, name), 40);
  expect((await bundle(files)).sha256).toBe(first.sha256);
});

it('is refused when many are being made already, and the others are made', async () => {
  const { concurrentBundles, waitingBundles } = bundleLimits;
  const count = concurrentBundles + waitingBundles + 2;
  const results = await Promise.allSettled(
    Array.from({ length: count }, (_, n) => bundle({ 'hello/index.ts': `export default (( // ${n}` })),
  );
  const codes = results.map((result) => (result as PromiseRejectedResult).reason.code as string);
  expect(codes.filter((code) => code === 'too_many_builds')).toHaveLength(2);
  expect(codes.filter((code) => code === 'BUNDLE_ERROR')).toHaveLength(count - 2);
});

describe('a mistake is told with its place:', () => {
  it.each([
    [
      'a type error',
      { 'hello/index.ts': `\nconst n: number = 'text';\nexport default () => new Response(String(n));` },
      `hello/index.ts:2:7: Type 'string' is not assignable to type 'number'. (TS2322)`,
    ],
    [
      'a timer that is taken for a number',
      {
        'hello/index.ts': `const t: number = setTimeout(() => {}, 1);\nexport default () => new Response(String(t));`,
      },
      "hello/index.ts:1:7: Type 'Timeout' is not assignable to type 'number'. (TS2322) setTimeout and setInterval return " +
        'an object: write ReturnType<typeof setTimeout>, or leave the type out.',
    ],
    [
      'a syntax error',
      { 'hello/index.ts': `export default ((` },
      'hello/index.ts:1:18: SyntaxError: Expression expected',
    ],
    [
      'a missing file',
      { 'hello/index.ts': `import './a.ts';`, 'hello/a.ts': `\nimport '../_shared/gone.ts';` },
      'hello/a.ts:2:8: Module not found "_shared/gone.ts".',
    ],
    [
      'a package that does not exist',
      { 'hello/index.ts': `import 'npm:@galley/no-such-package@1';` },
      `hello/index.ts:1:8: npm package '@galley/no-such-package' does not exist.`,
    ],
    [
      'a package with a native addon',
      { 'hello/index.ts': `import bcrypt from 'npm:bcrypt@5'; export default bcrypt;` },
      'hello/index.ts:1:20: npm:bcrypt needs a native addon, which functions cannot load. npm:bcryptjs does without.',
    ],
    [
      'a package with a native addon that the bundler looks for',
      { 'hello/index.ts': `import ssh from 'npm:ssh2@1'; export default ssh;` },
      'npm:ssh2 needs a native addon, which functions cannot load.',
    ],
    [
      'an unmapped name',
      { 'hello/index.ts': `import 'zod';` },
      'hello/index.ts:1:8: Import "zod" not a dependency and not in import map from "hello/index.ts". ' +
        'Import "npm:zod", or name zod in "imports" of deno.json or "dependencies" of package.json',
    ],
    [
      'a host that nobody declared as a source of code',
      { 'hello/index.ts': `import 'https://169.254.169.254/x.js';` },
      'hello/index.ts:1:8: Requires import access to "169.254.169.254:443"',
    ],
    [
      'a name that is not there',
      { 'hello/index.ts': `\n\nEdgeRuntime.wait(missing);` },
      'hello/index.ts:3:13: ',
    ],
    ['an empty module', { 'hello/index.ts': '' }, 'hello/index.ts: Nothing is left of it: it neither calls'],
    [
      'a module that does nothing',
      { 'hello/index.ts': 'const x = 1;' },
      'hello/index.ts: Nothing is left of it: it neither calls',
    ],
    ['a broken deno.json', { 'hello/index.ts': '', 'hello/deno.json': '{ "imports": ' }, 'hello/deno.json: '],
  ] as [string, Record<string, string>, string][])('%s', async (_name, files, message) => {
    await expect(bundle(files, { check: true })).rejects.toMatchObject({
      code: 'BUNDLE_ERROR',
      status: 400,
      message: expect.stringContaining(message),
    });
  });
});

describe('a file outside of the sources stays out when it is named by', () => {
  const up = '../'.repeat(12);
  it.each([
    [
      'an import of text',
      (path: string) => `import x from '${path}/secret.txt' with { type: 'text' }; export default x;`,
    ],
    [
      'an import of JSON',
      (path: string) => `import x from '${path}/secret.json' with { type: 'json' }; export default x;`,
    ],
    ['a relative import', (path: string) => `import x from '${up}${path}/secret.cjs'; export default x;`],
    [
      'a file URL',
      (path: string) => `import x from 'file://${path}/secret.json' with { type: 'json' }; export default x;`,
    ],
    [
      'a literal dynamic import',
      (path: string) => `export default await import('${path}/secret.txt', { with: { type: 'text' } });`,
    ],
    [
      'a dynamic import that only the bundler works out',
      (path: string) => `export default await import('${path}/sec' + 'ret.txt', { with: { type: 'text' } });`,
    ],
    [
      'require',
      (path: string) => `export default [require('${path}/secret.cjs'), require('${path}/secret.json')];`,
    ],
    ['require with an expression', (path: string) => `export default require('${path}/sec' + 'ret.json');`],
    ['a style sheet', (path: string) => `import x from '${path}/secret.css'; export default x;`],
    ['a type reference', (path: string) => `/// <reference path="${path}/secret.txt" />\nexport default 1;`],
  ])('%s', async (_name, code) => {
    await expect(bundle({ 'hello/index.ts': code(outside) })).rejects.toMatchObject({ code: 'BUNDLE_ERROR' });
  });

  it('an import map', async () => {
    const files = {
      'hello/deno.json': `{ "imports": { "x": "${outside}/secret.json" } }`,
      'hello/index.ts': `import x from 'x' with { type: 'json' }; export default x;`,
    };
    await expect(bundle(files)).rejects.toMatchObject({
      code: 'BUNDLE_ERROR',
      message: expect.stringContaining('lies outside of the function'),
    });
  });

  it.each(['../x.ts', '/etc/x.ts', 'a/../../x.ts', 'a\\b.ts', '', 'a//b.ts', '-x.ts', 'a/./b.ts', 'c:x.ts'])(
    'the path %j of a source',
    async (path) => {
      await expect(bundle({ 'hello/index.ts': '', [path]: '' })).rejects.toMatchObject({
        code: 'BUNDLE_ERROR',
        message: expect.stringContaining('is not a plain relative path'),
      });
    },
  );
});

it.each([
  ['a name that is too long', 'x'.repeat(300)],
  ['a name with too many bytes', 'é'.repeat(200)],
])('refuses %s', async (_name, path) => {
  await expect(bundle({ 'hello/index.ts': '', [path]: '' })).rejects.toMatchObject({
    code: 'BUNDLE_ERROR',
    message: expect.stringContaining(
      'is not a plain relative path of at most 512 characters, 255 bytes in each part',
    ),
  });
});

it.each([
  ['before', ['a', 'a/b.ts']],
  ['after', ['a/c/b.ts', 'a']],
])('refuses a file that is named like the folder of another, %s it', async (_order, paths) => {
  const files = Object.fromEntries([...paths, 'hello/index.ts'].map((path) => [path, '']));
  await expect(bundle(files)).rejects.toMatchObject({
    code: 'BUNDLE_ERROR',
    message: expect.stringMatching(/^a is both a file and the folder of a\//),
  });
});

it('sweeps the sources that a killed process left, and none that may be in use', async () => {
  const leftover = (name: string, ageMs: number) => {
    const path = mkdtempSync(join(tmpdir(), name));
    writeFileSync(join(path, 'index.ts'), '');
    const at = new Date(Date.now() - ageMs);
    utimesSync(path, at, at);
    return path;
  };
  const hours = 3_600_000;
  const abandoned = leftover('galley-bundle-', 2 * hours);
  const inUse = leftover('galley-bundle-', hours / 2);
  const foreign = leftover('bundle-', 2 * hours);
  await sweepSourceTrees();
  expect([abandoned, inUse, foreign].map((path) => existsSync(path))).toEqual([false, true, true]);
  for (const path of [inUse, foreign]) rmSync(path, { recursive: true });
});

it('refuses an entry point that is not among the files, and too many files', async () => {
  await expect(bundle({ 'a.ts': '' }, { entrypoint: 'b.ts' })).rejects.toMatchObject({
    message: 'b.ts is not among the files.',
  });
  const many = Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`f${i}.ts`, '']));
  await expect(bundle(many, { entrypoint: 'f0.ts' })).rejects.toMatchObject({
    message: 'There are 1001 files; the limit is 1000.',
  });
});
