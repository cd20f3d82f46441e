import { describe, expect, it } from '@jest/globals';
import { readDenoConfig, safeDenoConfig } from './deno-config.js';

const safe = (text: string) => safeDenoConfig('hello/deno.json', text);

it('keeps imports, scopes and switches of the compiler, and drops what acts on the host', () => {
  const config = {
    imports: { a: 'npm:a' },
    scopes: { x: {} },
    lock: '/etc/x',
    nodeModulesDir: 'auto',
    workspace: ['../..'],
    tasks: { a: 'rm' },
    compilerOptions: { strict: true, jsx: 'react-jsx', types: ['/etc/passwd'], paths: { a: ['/etc'] } },
  };
  expect(safe(JSON.stringify(config))).toEqual({
    imports: { a: 'npm:a' },
    scopes: { x: {} },
    compilerOptions: { strict: true, jsx: 'react-jsx' },
  });
});

it('reads comments and trailing commas, and leaves strings that look like them alone', () => {
  const text = `// first\n{ /* second */ "imports": { "a": "https://x/*y*/,}", "b": "\\"//", }, }`;
  expect(safe(text)).toEqual({ imports: { a: 'https://x/*y*/,}', b: '"//' } });
});

it.each([
  ['./import_map.json', true],
  ['../maps/import_map.json', true],
  ['../../import_map.json', false],
  ['/etc/import_map.json', false],
  ['https://example.com/map.json', false],
])('keeps the import map %s: %s', (importMap, kept) => {
  expect(safe(JSON.stringify({ importMap }))).toEqual(kept ? { importMap } : {});
});

it.each(['[]', 'null', '{ "a": '])('refuses %s', (text) => {
  expect(() => safeDenoConfig('hello/deno.json', text)).toThrow('hello/deno.json: ');
});

describe('the configuration of a function', () => {
  const read = (files: Record<string, unknown>, importMap?: string) =>
    readDenoConfig({
      files: new Map(
        Object.entries(files).map(([path, value]) => [path, Buffer.from(JSON.stringify(value))]),
      ),
      entrypoint: 'functions/hello/index.ts',
      importMap,
    });

  it.each([
    ['hello/deno.json', 'functions/hello'],
    ['deno.jsonc', 'functions'],
  ])('is the nearest: functions/%s', (path, directory) => {
    const files = {
      [`functions/${path}`]: { imports: { a: './a.ts' } },
      'deno.json': { imports: { b: 'x' } },
    };
    expect(read(files)).toMatchObject({ directory, imports: { a: './a.ts' } });
  });

  it('is nothing where nothing was written', () => {
    expect(read({})).toEqual({
      directory: '.',
      imports: {},
      scopes: {},
      compilerOptions: {},
      unusable: new Map(),
    });
  });

  it('keeps its compiler options beside an import map that was named, and reads that from where it lies', () => {
    const files = {
      'functions/hello/deno.json': { imports: { own: './own.ts' }, compilerOptions: { strict: true } },
      'maps/import_map.json': { imports: { named: './named.ts' } },
    };
    expect(read(files, 'maps/import_map.json')).toEqual({
      directory: 'maps',
      imports: { named: './named.ts' },
      scopes: {},
      compilerOptions: { strict: true },
      unusable: new Map(),
    });
  });

  it('follows deno.json to its import map', () => {
    const files = {
      'functions/hello/deno.json': { importMap: '../import_map.json' },
      'functions/import_map.json': { imports: { a: './_shared/a.ts' } },
    };
    expect(read(files)).toMatchObject({ directory: 'functions', imports: { a: './_shared/a.ts' } });
  });
});
