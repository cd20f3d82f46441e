import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answerOfBundle, bundleSources, type BundleOptions } from './bundle-support.js';
import { useRuntime } from './runtime-support.js';

const used = useRuntime();
const bundle = (files: Record<string, string>, options: BundleOptions = {}) =>
  bundleSources(used.dataDir, files, options);
const serving = `export default () => new Response('served');`;

describe('a package that brings install scripts', () => {
  let registry: Server;
  let scratch: string;
  let realRegistry: string;
  const before = process.env['NPM_CONFIG_REGISTRY'];

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'gr-'));
    realRegistry = spawnSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).stdout.trim();
    const folder = join(scratch, 'package');
    const touch = (script: string) => `node -e "require('fs').writeFileSync('${scratch}/${script}-ran', '')"`;
    const scripts = Object.fromEntries(
      ['preinstall', 'install', 'postinstall', 'prepare'].map((script) => [script, touch(script)]),
    );
    const manifest = { name: 'scripted', version: '1.0.0', main: 'index.js', scripts };
    mkdirSync(folder);
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
    writeFileSync(join(folder, 'index.js'), `module.exports = 'from the package';`);
    spawnSync('tar', ['-czf', join(scratch, 'scripted.tgz'), '-C', scratch, 'package']);
    const tarball = readFileSync(join(scratch, 'scripted.tgz'));
    registry = createServer((request, response) => {
      if (request.url === '/scripted.tgz') return void response.end(tarball);
      // The bundler's own program comes from where it always does.
      if (request.url !== '/scripted') {
        return void response.writeHead(307, { location: new URL(request.url!, realRegistry).href }).end();
      }
      const { port } = registry.address() as AddressInfo;
      const dist = {
        tarball: `http://127.0.0.1:${port}/scripted.tgz`,
        integrity: `sha512-${createHash('sha512').update(tarball).digest('base64')}`,
      };
      const version = { ...manifest, hasInstallScript: true, dist };
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({
          name: 'scripted',
          'dist-tags': { latest: '1.0.0' },
          versions: { '1.0.0': version },
        }),
      );
    });
    await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
    process.env['NPM_CONFIG_REGISTRY'] = `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`;
  });
  afterAll(() => {
    if (before === undefined) delete process.env['NPM_CONFIG_REGISTRY'];
    else process.env['NPM_CONFIG_REGISTRY'] = before;
    registry.close();
    rmSync(scratch, { recursive: true });
  });

  it('is bundled without running them, whatever the function asks for', async () => {
    const files = {
      'hello/index.ts': `import text from 'npm:scripted@1'; export default () => new Response(text);`,
      'hello/deno.json': `{ "nodeModulesDir": "auto", "allowScripts": true, "lock": true }`,
      'hello/package.json': `{ "dependencies": { "scripted": "1" }, "scripts": { "postinstall": "touch ${scratch}/own-ran" } }`,
    };
    // To where the registry leads.
    const { host } = new URL(realRegistry);
    const bundled = await bundle(files, { packageHosts: [host], privateHosts: [host] });
    expect(await answerOfBundle(used.runtime, bundled)).toBe('from the package');
    const ran = ['preinstall', 'install', 'postinstall', 'prepare', 'own'].filter((script) =>
      existsSync(join(scratch, `${script}-ran`)),
    );
    expect(ran).toEqual([]);
  });
});

describe('files of the host stay out when a deno.json names them by', () => {
  const host = join(used.dataDir, 'host');
  beforeAll(() => {
    mkdirSync(join(host, 'member'), { recursive: true });
    writeFileSync(
      join(host, 'secret.json'),
      '{ "imports": { "secret": "./secret.ts" }, "key": "the-secret" }',
    );
    writeFileSync(join(host, 'secret.ts'), `export default 'the-secret';`);
    writeFileSync(
      join(host, 'member', 'deno.json'),
      '{ "name": "@host/secret", "version": "1.0.0", "exports": "../secret.ts" }',
    );
  });

  const names: [string, object, string][] = [
    ['importMap', { importMap: `${host}/secret.json` }, 'secret'],
    ['a relative importMap', { importMap: `${'../'.repeat(12)}${host}/secret.json` }, 'secret'],
    ['extends', { extends: `${host}/secret.json` }, 'secret'],
    ['workspace', { workspace: [`${host}/member`] }, '@host/secret'],
    ['links', { links: [`${host}/member`] }, '@host/secret'],
    ['patch', { patch: [`${host}/member`] }, '@host/secret'],
    ['imports', { imports: { secret: `file://${host}/secret.ts` } }, 'secret'],
    ['scopes', { scopes: { './': { secret: `${host}/secret.ts` } } }, 'secret'],
    ['jsxImportSource', { compilerOptions: { jsx: 'react-jsx', jsxImportSource: `file://${host}` } }, ''],
  ];

  it.each(names)('%s', async (_name, config, specifier) => {
    const files = {
      'hello/deno.json': JSON.stringify(config),
      'hello/index.tsx': specifier
        ? `import secret from '${specifier}'; export default () => new Response(secret);`
        : `export default () => new Response(String(<a />));`,
    };
    const refused = bundleSources(used.dataDir, files, { entrypoint: 'hello/index.tsx' });
    await expect(refused).rejects.toMatchObject({ code: 'BUNDLE_ERROR' });
    await expect(refused).rejects.not.toThrow(/the-secret/);
  });

  it.each([
    ['lock', { lock: `${host}/deno.lock` }],
    ['vendor', { vendor: true }],
    ['types', { compilerOptions: { types: [`${host}/secret.ts`] } }],
    ['tasks', { tasks: { build: `touch ${host}/ran` } }],
  ])('%s, which has no effect', async (_name, config) => {
    const bundled = await bundle({ 'hello/index.ts': serving, 'hello/deno.json': JSON.stringify(config) });
    expect(await answerOfBundle(used.runtime, bundled)).toBe('served');
    for (const path of ['deno.lock', 'vendor', 'ran']) expect(existsSync(join(host, path))).toBe(false);
  });
});

describe('code is not imported from', () => {
  it.each([
    ['the own host', 'http://127.0.0.1:54321/x.js'],
    ['a name of the own host', 'http://localhost/x.js'],
    ['the metadata service of a cloud', 'http://169.254.169.254/latest/meta-data'],
    ['a private network', 'https://10.0.0.1/x.js'],
    ['a private network in IPv6', 'https://[fd00::1]/x.js'],
    ['a public host by plain http', 'http://esm.sh/x.js'],
    ['a public host by another port', 'https://esm.sh:8443/x.js'],
    ['a host nobody knows', 'https://evil.example/x.js'],
  ])('%s', async (_name, url) => {
    await expect(bundle({ 'hello/index.ts': `import '${url}'; ${serving}` })).rejects.toMatchObject({
      code: 'BUNDLE_ERROR',
      message: expect.stringMatching(/^hello\/index\.ts:1:8: Requires import access to/),
    });
    const typed = `/// <reference types="${url}" />\n${serving}`;
    await expect(
      bundleSources(used.dataDir, { 'hello/index.ts': typed }, { check: true }),
    ).rejects.toMatchObject({ code: 'BUNDLE_ERROR' });
  });
});
