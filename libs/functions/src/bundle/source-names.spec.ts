import { describe, expect, it } from '@jest/globals';
import { sourceName } from './source-names.js';

const tree = { directory: '/tmp/galley-bundle-x', entrypoint: 'functions/hello/index.ts' };
const npm = '/data/cache/deno/npm';

describe('the name of a source', () => {
  it.each([
    ['tmp/galley-bundle-x/functions/hello/index.ts', 'index.ts'],
    ['tmp/galley-bundle-x/functions/hello/lib/a.ts', 'lib/a.ts'],
    ['tmp/galley-bundle-x/functions/_shared/db.ts', '_shared/db.ts'],
    ['tmp/galley-bundle-x/shared/db.ts', 'shared/db.ts'],
    ['data/cache/deno/npm/registry.example/zod/3.25.76/v3/types.js', 'npm:zod@3.25.76/v3/types.js'],
    ['/data/cache/deno/npm/r.example/a/@scope/name/1.0.0-rc.1_1/i.js', 'npm:@scope/name@1.0.0-rc.1_1/i.js'],
    ['data/cache/deno/npm/r.example/lodash.get/4.4.2/index.js', 'npm:lodash.get@4.4.2/index.js'],
    ['data/cache/deno/npm/r.example/@scope/shared/parse.js', 'npm:@scope/shared/parse.js'],
    ['deno:https://jsr.io/@std/assert/1.0.0/equals.ts', 'jsr:@std/assert@1.0.0/equals.ts'],
    ['https://esm.sh/x@1/y.js', 'https://esm.sh/x@1/y.js'],
    ['etc/passwd', null],
    ['/data/cache/deno/gen/x.js', null],
  ])('%s is %s', (source, name) => {
    expect(sourceName(source, tree, npm)).toBe(name);
  });
});
