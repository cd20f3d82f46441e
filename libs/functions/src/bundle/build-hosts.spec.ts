import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildHosts, importArgument } from './build-hosts.js';

describe('a build may reach', () => {
  const before = { HOME: process.env['HOME'], NPM_CONFIG_REGISTRY: process.env['NPM_CONFIG_REGISTRY'] };
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'gh-'));
    Object.assign(process.env, { HOME: home, NPM_CONFIG_REGISTRY: 'http://10.0.0.7:4873/npm/' });
  });
  afterEach(() => {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    rmSync(home, { recursive: true });
  });

  it("npm's registry at whatever address the operator has it", async () => {
    const hosts = await buildHosts({});
    expect(hosts?.allowed).toEqual(expect.arrayContaining(['jsr.io:443', '10.0.0.7:4873']));
    expect(hosts?.private).toEqual(['10.0.0.7:4873']);
  });

  it('the registries of scopes', async () => {
    const settings = [
      '; registry=https://comment.example/',
      '@company:registry = "https://npm.company.example/"',
      '//npm.company.example/:_authToken=secret',
      'registry=http://[fd00::7]/',
      '@broken:registry=${UNSET}',
    ];
    writeFileSync(join(home, '.npmrc'), settings.join('\n'));
    expect((await buildHosts({}))?.private).toEqual([
      '10.0.0.7:4873',
      'npm.company.example:443',
      '[fd00::7]:80',
    ]);
  });

  it('what the operator names, and imports code from there', async () => {
    const network = { packageHosts: ['files.example', 'npm.internal:8080'], privateHosts: ['npm.internal'] };
    const hosts = await buildHosts(network);
    expect(hosts?.allowed).toEqual(expect.arrayContaining(network.packageHosts));
    expect(hosts?.private).toEqual(['npm.internal', '10.0.0.7:4873']);
    expect(importArgument(network)).toMatch(/^--allow-import=.*,files\.example:443,npm\.internal:8080$/);
  });
});
