import { describe, expect, it } from '@jest/globals';
import { readPackageDependencies } from './package-json.js';

const read = (packages: Record<string, unknown>, entrypoint = 'functions/hello/index.ts') =>
  readPackageDependencies(
    new Map(Object.entries(packages).map(([path, text]) => [path, Buffer.from(JSON.stringify(text))])),
    entrypoint,
  );

it('reads the package.json that is nearest to the entry point', () => {
  const packages = {
    'package.json': { dependencies: { root: '1' } },
    'functions/package.json': { dependencies: { shared: '1' } },
    'functions/other/package.json': { dependencies: { other: '1' } },
  };
  expect(read(packages).imports).toEqual({ shared: 'npm:shared@1' });
  expect(read({}).imports).toEqual({});
});

describe('a dependency', () => {
  const addressOf = (version: string) =>
    read({ 'package.json': { dependencies: { it: version } } }).imports['it'];

  it.each([
    ['^1.2.3', 'npm:it@^1.2.3'],
    ['~1.2', 'npm:it@~1.2'],
    ['1.x', 'npm:it@1.x'],
    ['1.2.3-beta.1+build', 'npm:it@1.2.3-beta.1+build'],
    ['v1.2.3', 'npm:it@1.2.3'],
    ['=1.2.3', 'npm:it@1.2.3'],
    ['', 'npm:it@*'],
    ['*', 'npm:it@*'],
    ['latest', 'npm:it@latest'],
    ['npm:@scope/name@^2', 'npm:@scope/name@^2'],
    ['npm:name', 'npm:name@*'],
    ['jsr:@std/path@1', 'jsr:@std/path@1'],
  ])('with the version %j is %s', (version, address) => {
    expect(addressOf(version)).toBe(address);
  });

  it.each([
    ['>=1 <2', 'write one version or range'],
    ['1 || 2', 'write one version or range'],
    ['npm:name@>=1', 'write one version or range'],
    ['file:../it', 'only packages of a registry'],
    ['workspace:*', 'only packages of a registry'],
    ['github:someone/it', 'only packages of a registry'],
    ['someone/it', 'only packages of a registry'],
    ['https://example.com/it.tgz', 'only packages of a registry'],
  ])('with the version %j is told to be of no use', (version, why) => {
    const { imports, unusable } = read({ 'package.json': { dependencies: { it: version } } });
    expect(imports).toEqual({});
    expect(unusable.get('it')).toContain(`package.json has it as ${JSON.stringify(version)}: ${why}`);
  });

  it('for production counts for more than one for development', () => {
    const both = { dependencies: { it: '2' }, devDependencies: { it: '1', types: '1' } };
    expect(read({ 'package.json': both }).imports).toEqual({ it: 'npm:it@2', types: 'npm:types@1' });
  });
});

it('passes over what is no dependency, and refuses what is no JSON', () => {
  for (const odd of [null, 1, [], { dependencies: null }, { dependencies: { a: 1 } }])
    expect(read({ 'package.json': odd }).imports).toEqual({});
  const broken = new Map([['package.json', Buffer.from('{')]]);
  expect(() => readPackageDependencies(broken, 'index.ts')).toThrow('package.json: ');
});
