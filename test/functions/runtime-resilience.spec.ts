import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Cancellation } from '../../libs/functions/src/cancellation.js';
import { InstancePool } from '../../libs/functions/src/instances/instance-pool.js';
import { DenoRuntime } from '../../libs/functions/src/runtime/deno-runtime.js';
import { processStartTime } from '../../libs/functions/src/runtime/process-identity.js';
import { eventually } from '../support/eventually.js';
import { call, scratchDataDir, specFor } from './runtime-support.js';

const hello = `Deno.serve(() => new Response('hello'));`;
const dataDir = scratchDataDir();
let runtime: DenoRuntime;

beforeEach(async () => {
  runtime = await DenoRuntime.open({ dataDir: dataDir.path, warmProcesses: 1 });
  await runtime.prepare({ port: 54_321 });
});
afterEach(() => runtime.close());
afterAll(() => dataDir.remove());

/** Processes of this one whose command line holds `text`. */
function children(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
        return parent === process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
      } catch {
        return false;
      }
    });
}

/** Where the host allows no namespaces nothing is held ready. */
const where = process.platform === 'linux' ? describe : describe.skip;

where('a process held ready', () => {
  it('that is killed is replaced, and nothing of it stays', async () => {
    if (runtime.isolation().network !== 'namespace') return;
    const [first] = children('/galley/loader');
    const openFiles = () => readdirSync('/proc/self/fd').length;
    const before = openFiles();
    process.kill(first!, 'SIGKILL');
    const second = await eventually(() => children('/galley/loader').find((pid) => pid !== first));
    // The new one has what the old one had.
    await eventually(() => openFiles() <= before);
    expect((await call(await runtime.start(specFor(hello)))).text).toBe('hello');
    expect(processStartTime(second)).not.toBeNull();
  });

  it('that is killed while it starts does not keep the runtime from closing', async () => {
    if (runtime.isolation().network !== 'namespace') return;
    const [first] = children('/galley/loader');
    const starting = runtime.start(specFor(hello));
    const next = await eventually(() => children('/galley/loader').find((pid) => pid !== first));
    process.kill(next, 'SIGKILL');
    await starting;
    await runtime.close();
    expect(children('/galley')).toEqual([]);
  });
});

where('the jailer', () => {
  it('may be killed while functions start: they start all the same', async () => {
    if (runtime.isolation().network !== 'namespace') return;
    const starts = Array.from({ length: 4 }, () => runtime.start(specFor(hello)));
    for (const pid of children('jailer.program')) process.kill(pid, 'SIGKILL');
    const answers = await Promise.all(starts.map(async (start) => (await call(await start)).text));
    expect(answers).toEqual(['hello', 'hello', 'hello', 'hello']);
  });
});

describe('code on disk', () => {
  /** Files of all deployments that this host has unpacked. */
  const files = (...path: string[]) => {
    const root = join(dataDir.path, 'deployments');
    return readdirSync(root).map((name) => join(root, name, ...path));
  };
  const spec = () => specFor(hello, { limits: { memoryBytes: 300 * 2 ** 20 } });
  /** As a disk that failed may leave it: as long as it was. */
  const damage = (path: string) => {
    const length = readFileSync(path).byteLength;
    rmSync(path);
    writeFileSync(path, Buffer.alloc(length));
  };

  it('that was cut short is written again', async () => {
    const own = spec();
    (await runtime.start(own)).kill('removed');
    for (const path of files('code', 'main.js')) truncateSync(path);
    expect((await call(await runtime.start(own))).text).toBe('hello');
  });

  it('that is damaged fails one start at most, and is written again', async () => {
    const own = spec();
    (await runtime.start(own)).kill('removed');
    for (const path of files('code', 'main.js')) damage(path);
    await expect(runtime.start(own)).rejects.toMatchObject({ code: 'BOOT_ERROR', status: 503 });
    expect((await call(await runtime.start(own))).text).toBe('hello');
  });

  it('that was damaged while no server ran is written again before it is started', async () => {
    const own = spec();
    (await runtime.start(own)).kill('removed');
    await runtime.close();
    for (const path of files('code', 'main.js')) damage(path);
    runtime = await DenoRuntime.open({ dataDir: dataDir.path });
    expect((await call(await runtime.start(own))).text).toBe('hello');
  });

  it('may have lost what V8 compiled of it', async () => {
    if (runtime.isolation().network !== 'namespace') return;
    const own = spec();
    const compiled = () => files('compiled', 'v8_code_cache_v2').filter((path) => existsSync(path));
    (await runtime.start(own)).kill('removed');
    const [kept] = await eventually(() => compiled().length > 0 && compiled(), { what: 'compiled code' });
    damage(kept!);
    expect((await call(await runtime.start(own))).text).toBe('hello');
  });
});

describe('a process that says its last words', () => {
  it('still counts among those that its function may have', async () => {
    const pool = new InstancePool(runtime, { instances: 4, memoryBytes: 2 ** 30 });
    const code = `addEventListener('beforeunload', () => {}); Deno.serve(() => new Response(String(Deno.pid)));`;
    const makeSpec = () => specFor(code, { deploymentId: 'polite' });
    const options = {
      maxInstances: 2,
      concurrencyPerInstance: 1,
      idleMs: 60_000,
      memoryBytes: 128 * 2 ** 20,
      oneUse: true,
      queueLimit: 100,
      waitTimeoutMs: 20_000,
      wallTimeMs: 10_000,
    };
    const pids: number[] = [];
    let most = 0;
    await Promise.all(
      Array.from({ length: 6 }, () =>
        pool.withInstance('polite', makeSpec, options, new Cancellation(), async (instance) => {
          pids.push(instance.pid);
          most = Math.max(most, pids.filter((pid) => processStartTime(pid) !== null).length);
          await call(instance);
        }),
      ),
    );
    expect(new Set(pids).size).toBe(6);
    expect(most).toBeLessThanOrEqual(2);
    await pool.close();
  });
});
