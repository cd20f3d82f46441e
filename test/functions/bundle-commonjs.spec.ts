import { describe, expect, it } from '@jest/globals';
import { answerOfBundle, bundleSources } from './bundle-support.js';
import { useRuntime } from './runtime-support.js';

const used = useRuntime();
const isOdd3 = { dependencies: { 'is-odd': '^3.0.1' } };

/** What the function in `hello/` answers, bundled with a check of its types. */
async function answerOf(files: Record<string, string>, entrypoint = 'hello/index.js'): Promise<string> {
  const bundled = await bundleSources(used.dataDir, files, { entrypoint, check: true });
  return answerOfBundle(used.runtime, bundled);
}

describe('a package.json', () => {
  it('names the packages that are imported by their bare names, and their parts', async () => {
    const files = {
      'hello/package.json': JSON.stringify({ dependencies: { ...isOdd3.dependencies, zod: '^3.25.0' } }),
      'hello/index.ts': `import isOdd from 'is-odd';
        import { z } from 'zod';
        import * as v4 from 'zod/v4';
        export default () => new Response([isOdd(3), z.string().parse('x'), typeof v4.z].join(' '));`,
    };
    expect(await answerOf(files, 'hello/index.ts')).toBe('true x object');
  });

  it('names none that deno.json names, too, and has none installed that is not imported', async () => {
    const files = {
      'hello/package.json': JSON.stringify({ dependencies: { odd: 'npm:ms@2', nowhere: 'file:../nowhere' } }),
      'hello/deno.json': JSON.stringify({ imports: { odd: 'npm:is-odd@3' } }),
      'hello/index.ts': `import odd from 'odd'; export default () => new Response(String(odd(3)));`,
    };
    expect(await answerOf(files, 'hello/index.ts')).toBe('true');
  });

  it('with a version that says too little or too much is told, where that is imported', async () => {
    const files = {
      'hello/package.json': JSON.stringify({ dependencies: { odd: '>=1 <2' } }),
      'hello/index.ts': `import 'odd/part';`,
    };
    await expect(answerOf(files, 'hello/index.ts')).rejects.toMatchObject({
      code: 'BUNDLE_ERROR',
      message: expect.stringContaining('hello/package.json has odd as ">=1 <2": write one version or range'),
    });
  });
});

describe('a function in CommonJS', () => {
  it('requires packages, files without their ending, folders and JSON', async () => {
    const files = {
      'hello/package.json': JSON.stringify({ type: 'commonjs', ...isOdd3 }),
      'hello/index.js': `const { basename } = require('path');
        const told = require('./told');
        module.exports = () => new Response(basename('/x/' + told));`,
      'hello/told.js': `const isOdd = require('is-odd');
        module.exports = [isOdd(3), require('./folder'), require('./data.json').a, require('../_shared/a.cjs')].join(' ');`,
      'hello/folder/index.js': `exports.toString = () => 'folder';`,
      'hello/data.json': '{ "a": 4 }',
      '_shared/a.cjs': `module.exports = 'shared';`,
    };
    expect(await answerOf(files)).toBe('true folder 4 shared');
  });

  it.each([
    ['exports.handler', `exports.handler = async () => 'hi';`],
    ['module.exports = { fetch }', `module.exports = { fetch: () => new Response('hi') };`],
    [
      'exports.default, as TypeScript compiles it',
      `Object.defineProperty(exports, '__esModule', { value: true }); exports.default = () => new Response('hi');`,
    ],
    [
      'a server',
      `require('http').createServer((request, response) => response.end('hi')).listen(process.env.PORT || 3000);`,
    ],
  ])('serves by %s', async (_shape, source) => {
    expect(await answerOf({ 'hello/index.js': source })).toBe('hi');
    expect(await answerOf({ 'hello/index.cjs': source }, 'hello/index.cjs')).toBe('hi');
  });

  it('is told of a file that is not there', async () => {
    await expect(answerOf({ 'hello/index.js': `require('./gone');` })).rejects.toMatchObject({
      message: expect.stringContaining('hello/index.js:1:9: Module not found "hello/gone".'),
    });
  });
});

describe('a package that is nothing without its native addon', () => {
  const needs =
    'npm:sharp needs a native addon, which functions cannot load. npm:@imagemagick/magick-wasm does without.';

  it.each([
    ['an import', 'hello/index.ts:1:19: ', `import sharp from 'npm:sharp'; export default sharp;`],
    ['require', 'hello/index.ts:2:23: ', `\nconst sharp = require('npm:sharp'); module.exports = sharp;`],
  ])('is refused when it is loaded by %s', async (_how, place, source) => {
    await expect(answerOf({ 'hello/index.ts': source }, 'hello/index.ts')).rejects.toMatchObject({
      code: 'BUNDLE_ERROR',
      message: expect.stringContaining(place + needs),
    });
  });

  it('is not where the function can do without it, or needs its types alone, or a part without the addon', async () => {
    const files = {
      'hello/index.ts': `import type { Sharp } from 'npm:sharp';
        import { createClient } from 'npm:@libsql/client/web';
        const missing = await import('npm:sharp').then(() => false, () => true);
        export default (_: Request | Sharp) => new Response(missing + typeof createClient);`,
    };
    expect(await answerOf(files, 'hello/index.ts')).toBe('truefunction');
  });
});
