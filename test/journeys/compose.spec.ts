import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jwtVerify } from 'jose';
import { parseConfig, repositoryRoot } from '#libs/platform';

describe('the environment of docker-compose.yml', () => {
  const compose = readFileSync(join(repositoryRoot, 'docker-compose.yml'), 'utf8');
  let folder: string;
  let written: Record<string, string>;

  const run = () =>
    spawnSync(process.execPath, [join(folder, 'scripts', 'compose-env.mjs')], { encoding: 'utf8' });
  const read = () =>
    Object.fromEntries(
      readFileSync(join(folder, '.env'), 'utf8')
        .split('\n')
        .filter((line) => /^\w+=/.test(line))
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const),
    );

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'galley-compose-'));
    mkdirSync(join(folder, 'scripts'));
    cpSync(join(repositoryRoot, 'scripts', 'compose-env.mjs'), join(folder, 'scripts', 'compose-env.mjs'));
    expect(run()).toMatchObject({ status: 0, stdout: expect.stringContaining('Next: docker compose up') });
    written = read();
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('has every secret that the file demands, none of them short, and readable by its owner only', () => {
    const demanded = [...compose.matchAll(/\$\{(\w+):\?/g)].map(([, name]) => name!);
    expect(demanded.length).toBeGreaterThan(0);
    for (const name of demanded) expect(written[name]?.length).toBeGreaterThanOrEqual(20);
    expect(statSync(join(folder, '.env')).mode & 0o777).toBe(0o600);
  });

  it('has no secret in the file itself', () => {
    const settings = [...compose.matchAll(/^\s+(\w*(?:PASSWORD|SECRET|KEY)\w*): (.*)$/gm)];
    expect(settings.length).toBeGreaterThan(0);
    for (const [, , value] of settings) expect(value).toMatch(/^\$\{\w+:\?/);
  });

  it('is a configuration that Galley takes', async () => {
    const settings = [...compose.matchAll(/^ {2}([A-Z]\w+): (.*)$/gm)].map(
      ([, name, value]) =>
        [name!, value!.replace(/\$\{(\w+)[^}]*\}/g, (_, of: string) => written[of]!)] as const,
    );
    const config = parseConfig(Object.fromEntries(settings));
    expect(config).toMatchObject({ redisUrl: expect.stringMatching(/^redis:/), unused: [] });
    const { payload } = await jwtVerify(config.keys.anonKey!, Buffer.from(config.keys.jwtSecret!));
    expect(payload['role']).toBe('anon');
  });

  it('is left as it is when it is there already', () => {
    expect(run()).toMatchObject({ status: 1, stderr: expect.stringContaining('left as it is') });
    expect(read()).toEqual(written);
  });
});
