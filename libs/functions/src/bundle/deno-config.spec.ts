import { expect, it } from '@jest/globals';
import { safeDenoConfig } from './deno-config.js';

const safe = (text: string): unknown => JSON.parse(safeDenoConfig('hello/deno.json', text));

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
