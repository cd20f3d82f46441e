import { describe, expect, it } from '@jest/globals';
import { Cancellation } from '../../libs/functions/src/cancellation.js';
import type { FunctionInstance } from '../../libs/functions/src/runtime/function-runtime.js';
import { eventually } from '../support/eventually.js';
import { usePool } from './pool-support.js';
import { call, specFor } from './runtime-support.js';

const code = `Deno.serve(async (req) => {
  const path = new URL(req.url).pathname;
  if (path === '/hang') await new Promise(() => {});
  if (path.startsWith('/wait/')) await new Promise((r) => setTimeout(r, Number(path.slice(6))));
  if (path === '/background') EdgeRuntime.waitUntil(new Promise(() => {}));
  if (path === '/leave-spinning') setTimeout(() => { for (;;); }, 20);
  if (path === '/leave-ticking') setInterval(() => console.log('tick'), 10);
  return new Response(String(Deno.pid)); });`;

const host = usePool(code);
const { on, options } = host;

const pidOf = async (instance: FunctionInstance) => instance.pid;

describe('calls that share an instance', () => {
  const shared = { maxInstances: 1, concurrencyPerInstance: 10 };

  it('do not die with one that hangs: it alone is told that its time is up, and the others finish', async () => {
    const changed = { ...shared, wallTimeMs: 800 };
    const first = await on('a', pidOf, changed);
    const hanging = on(
      'a',
      (instance, _, cancellation) => call(instance, '/hang', { cancellation }),
      changed,
    );
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
      on('a', (instance, _, cancellation) => call(instance, '/hang', { cancellation }), changed),
    );
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'IDLE_TIMEOUT' } });
    }
    expect(performance.now() - began).toBeLessThan(2_000);
    await eventually(() => host.pool.statistics().instances === 0);
  });
});

describe('an instance that works in the background', () => {
  const startBackground = (key: string) => on(key, (instance) => call(instance, '/background'));

  it('makes room for another function after its turn, the one that does so for longest first', async () => {
    const [oldest] = [await startBackground('a'), await startBackground('b')];
    const began = performance.now();
    expect(await on('c', async (_, start) => start)).toBe('cold');
    expect(performance.now() - began).toBeGreaterThan(500);
    const left = host.pool.statistics().functions.map(({ key }) => key);
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
      host.pool
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
    const instance = await host.pool.withInstance(
      'a',
      makeSpec,
      options,
      new Cancellation(),
      async (used) => {
        await call(used, '/leave-ticking');
        return used;
      },
    );
    await eventually(() => spec.logs.length >= 40);
    expect(instance.stopping).toBe(false);
  });
});
