import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvokeFunction } from '#libs/functions';
import { createLogger, EmbeddedPostgres } from '#libs/platform';
import { InstancePool } from '../../libs/functions/src/instances/instance-pool.js';
import { DenoRuntime } from '../../libs/functions/src/runtime/deno-runtime.js';
import { runtimeBases } from '../../libs/functions/src/runtime/run-directory.js';
import { newDelivery } from './new-delivery.js';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';
import { call, scratchDataDir, specFor } from './runtime-support.js';
import { eventually } from '../support/eventually.js';

const hello = `Deno.serve(() => new Response('hello'));`;

/** Makes that a host cannot unpack functions below `base`, until it is called back. */
function breakDeployments(base: string): () => void {
  const path = join(base, 'deployments');
  rmSync(path, { recursive: true, force: true });
  writeFileSync(path, 'in the way');
  return () => rmSync(path);
}

describe('a runtime', () => {
  const dataDir = scratchDataDir();
  let runtime: DenoRuntime;
  beforeEach(async () => {
    runtime = await DenoRuntime.open({ dataDir: dataDir.path });
  });
  afterEach(() => runtime.close());
  afterAll(() => dataDir.remove());

  it('whose host failed starts functions as soon as the host works again', async () => {
    const mend = breakDeployments(dataDir.path);
    await expect(runtime.start(specFor(hello))).rejects.toMatchObject({
      code: 'BOOT_ERROR',
      status: 503,
      message: 'The function did not start: this host failed to prepare it (EEXIST).',
      cause: expect.objectContaining({ syscall: 'mkdir' }),
    });
    mend();
    expect((await call(await runtime.start(specFor(hello)))).text).toBe('hello');
  });

  it('makes again what was removed under it', async () => {
    await runtime.start(specFor(hello));
    const entries = readdirSync(dataDir.path, { recursive: true, encoding: 'utf8', withFileTypes: true });
    const templates = entries.filter((entry) => entry.isDirectory() && entry.name.includes('template-'));
    expect(templates.length).toBeGreaterThan(0);
    for (const { parentPath, name } of templates) rmSync(join(parentPath, name), { recursive: true });
    expect((await call(await runtime.start(specFor(hello)))).text).toBe('hello');
  });
});

describe('an invocation on a host that fails', () => {
  let server: FunctionsServer;
  let base: string;
  beforeAll(async () => {
    server = await startFunctionsServer();
    await server.deploy('first', hello);
    await server.deploy('hello', hello);
    await (await server.call('first')).text();
    const { dataDir } = server.platform.config;
    base = runtimeBases(dataDir).find((path) => readdirSync(path).includes('deployments'))!;
  });
  afterAll(() => server.close());

  const deliver = () =>
    server
      .get(InvokeFunction)
      .invokeForEvent(server.project, newDelivery('hello'), new AbortController().signal);

  it('is refused and recorded, and counts as a failed try of an event', async () => {
    const mend = breakDeployments(base);
    const response = await server.call('hello');
    expect(response.status).toBe(503);
    expect(response.headers.get('sb-error-code')).toBe('BOOT_ERROR');
    expect(await deliver()).toMatchObject({
      status: 'failed',
      error: expect.stringContaining('BOOT_ERROR'),
      record: { status: 'failed', error: expect.stringContaining('EEXIST') },
    });
    const [record] = await server.invocationsOf('hello', 1);
    expect(record).toMatchObject({ status: 'failed', error: expect.stringContaining('BOOT_ERROR') });
    mend();
    expect(await (await server.call('hello')).text()).toBe('hello');
    expect(await deliver()).toMatchObject({ status: 'succeeded' });
  });

  it('fails when its process is killed, and the next one works', async () => {
    const source = `Deno.serve(({ url }) => {
      if (!url.endsWith('/never')) return new Response('answered');
      console.log('pid ' + Deno.pid);
      return new Promise(() => {});
    });`;
    await server.deploy('killed', source);
    const waiting = server.call('killed/never');
    const pid = await eventually(async () => {
      const { body } = await server.manage('GET', '/functions/killed/logs');
      return (body as unknown as { message: string }[])
        .map(({ message }) => /^pid (\d+)$/.exec(message)?.[1])
        .find((found) => found !== undefined);
    });
    process.kill(Number(pid), 'SIGKILL');
    const response = await waiting;
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({
      code: 'WORKER_ERROR',
      message: expect.stringContaining('process ended (SIGKILL)'),
    });
    expect(await (await server.call('killed')).text()).toBe('answered');
  });

  it('is not tried at all, and so no failure, while the process stops', async () => {
    await server.get(InstancePool).drain(0);
    expect(await deliver()).toEqual({
      status: 'busy',
      error: 'The server is shutting down.',
      maxAttempts: expect.any(Number),
      retryAfterMs: 1000,
    });
    expect((await server.call('hello')).status).toBe(503);
  });
});

it('a data directory with a long path can hold PostgreSQL and functions', async () => {
  const parent = mkdtempSync(join(tmpdir(), 'gt-'));
  const dataDir = join(parent, 'x'.repeat(85));
  mkdirSync(dataDir);
  for (const path of [parent, dataDir]) chmodSync(path, 0o711);
  const logger = createLogger({ level: 'error', name: 'test' });
  const postgres = await EmbeddedPostgres.start({ dataDir, password: 'p', logger });
  try {
    const runtime = await DenoRuntime.open({ dataDir });
    expect((await call(await runtime.start(specFor(hello)))).text).toBe('hello');
    await runtime.close();
  } finally {
    await postgres.stop();
    for (const path of [parent, postgres.connection.host, ...runtimeBases(dataDir)])
      rmSync(path, { recursive: true, force: true });
  }
});
