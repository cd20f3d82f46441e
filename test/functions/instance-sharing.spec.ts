import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { InstancePool, type PoolOptions } from '../../libs/functions/src/instances/instance-pool.js';
import { DenoRuntime } from '../../libs/functions/src/runtime/deno-runtime.js';
import type { FunctionInstance } from '../../libs/functions/src/runtime/function-runtime.js';
import { eventually } from '../support/eventually.js';
import { call, scratchDataDir, specFor } from './runtime-support.js';

const dataDir = scratchDataDir();
let runtime: DenoRuntime;
let pool: InstancePool;

beforeAll(async () => {
  runtime = await DenoRuntime.open({ dataDir: dataDir.path });
});

beforeEach(() => {
  pool = new InstancePool(runtime, 2);
});

afterEach(() => pool.close());

afterAll(async () => {
  await runtime.close();
  dataDir.remove();
});

const options: PoolOptions = {
  maxInstances: 2,
  concurrencyPerInstance: 1,
  idleMs: 60_000,
  queueLimit: 100,
  waitTimeoutMs: 10_000,
  wallTimeMs: 10_000,
};
const code = `Deno.serve(async (req) => {
  const path = new URL(req.url).pathname;
  if (path === '/hang') await new Promise(() => {});
  if (path.startsWith('/wait/')) await new Promise((r) => setTimeout(r, Number(path.slice(6))));
  if (path === '/background') EdgeRuntime.waitUntil(new Promise(() => {}));
  if (path === '/leave-spinning') setTimeout(() => { for (;;); });
  if (path === '/leave-ticking') setInterval(() => console.log('tick'), 10);
  return new Response(String(Deno.pid)); });`;

/** Runs `work` on an instance of the function `key`. */
function on<T>(
  key: string,
  work: (instance: FunctionInstance, start: 'cold' | 'warm', signal: AbortSignal) => Promise<T>,
  changed: Partial<PoolOptions> = {},
) {
  const signal = new AbortController().signal;
  const makeSpec = () => specFor(code, { deploymentId: key });
  return pool.withInstance(key, makeSpec, { ...options, ...changed }, signal, work);
}

const pidOf = async (instance: FunctionInstance) => instance.pid;

describe('calls that share an instance', () => {
  const shared = { maxInstances: 1, concurrencyPerInstance: 10 };

  it('do not die with one that hangs: it alone is told that its time is up, and the others finish', async () => {
    const changed = { ...shared, wallTimeMs: 800 };
    const first = await on('a', pidOf, changed);
    const hanging = on('a', (instance, _, signal) => call(instance, '/hang', { signal }), changed);
    const refusal = expect(hanging).rejects.toMatchObject({ code: 'IDLE_TIMEOUT', status: 504 });
    // Half way through its time, so that the neighbour's answer falls into the time after it.
    await on('a', (instance) => call(instance, '/wait/400'), changed);
    const neighbour = on('a', (instance) => call(instance, '/wait/600'), changed);
    await refusal;
    expect(await neighbour).toMatchObject({ status: 200, text: String(first) });
    expect(await on('a', async (_, start) => start, changed)).toBe('cold');
  });

  it('have each their own time even if none of them answers', async () => {
    const changed = { ...shared, wallTimeMs: 300 };
    await on('a', pidOf, changed);
    const began = performance.now();
    const calls = [1, 2, 3].map(() =>
      on('a', (instance, _, signal) => call(instance, '/hang', { signal }), changed),
    );
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'IDLE_TIMEOUT' } });
    }
    expect(performance.now() - began).toBeLessThan(2_000);
    await eventually(() => pool.statistics().instances === 0);
  });
});

describe('an instance that works in the background', () => {
  const startBackground = (key: string) => on(key, (instance) => call(instance, '/background'));

  it('makes room for another function after its turn, the one that does so for longest first', async () => {
    const [oldest] = [await startBackground('a'), await startBackground('b')];
    const began = performance.now();
    expect(await on('c', async (_, start) => start)).toBe('cold');
    expect(performance.now() - began).toBeGreaterThan(500);
    const left = pool.statistics().functions.map(({ key }) => key);
    expect(left.toSorted()).toEqual(['b', 'c']);
    expect(oldest.status).toBe(200);
  });

  it('is spared while there is one that is unused', async () => {
    await startBackground('a');
    await on('b', pidOf);
    const began = performance.now();
    await on('c', pidOf);
    expect(performance.now() - began).toBeLessThan(1_000);
    expect(
      pool
        .statistics()
        .functions.map(({ key }) => key)
        .toSorted(),
    ).toEqual(['a', 'c']);
  });

  it('is killed when its wall time is over', async () => {
    const exit = await on(
      'a',
      async (instance) => {
        await call(instance, '/background');
        return () => instance.exited;
      },
      { wallTimeMs: 300 },
    );
    expect(await exit()).toMatchObject({ reason: 'wall-time' });
  });
});

describe('an instance that spins although nothing is asked of it', () => {
  it('is not handed out again', async () => {
    const instance = await on('a', async (used) => (await call(used, '/leave-spinning'), used));
    await eventually(() => instance.isSpinning() || instance.stopping);
    const next = await on('a', async (used, start) => [start, (await call(used)).status], {
      maxInstances: 1,
    });
    expect(next).toEqual(['cold', 200]);
  });

  it('is killed soon', async () => {
    const instance = await on('a', async (used) => (await call(used, '/leave-spinning'), used));
    expect(await instance.exited).toMatchObject({ reason: 'spinning' });
  });

  it('unlike one that now and then does a little', async () => {
    const spec = specFor(code);
    const makeSpec = () => spec;
    const signal = new AbortController().signal;
    const instance = await pool.withInstance('a', makeSpec, options, signal, async (used) => {
      await call(used, '/leave-ticking');
      return used;
    });
    await eventually(() => spec.logs.length >= 40);
    expect(instance.stopping).toBe(false);
  });
});
