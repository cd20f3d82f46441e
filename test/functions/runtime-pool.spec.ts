import { expect, it } from '@jest/globals';
import { Cancellation } from '../../libs/functions/src/cancellation.js';
import type { FunctionInstance } from '../../libs/functions/src/runtime/function-runtime.js';
import { processStartTime } from '../../libs/functions/src/runtime/process-identity.js';
import { eventually } from '../support/eventually.js';
import { usePool } from './pool-support.js';
import { call, specFor } from './runtime-support.js';

const code = `Deno.serve(async (req) => {
  const path = new URL(req.url).pathname;
  if (path === '/loop') for (;;);
  if (path === '/exit') Deno.exit(1);
  if (path === '/answer-and-exit') { setTimeout(() => Deno.exit(0), 5); return new Response('last words'); }
  if (path === '/background') EdgeRuntime.waitUntil(new Promise((r) => setTimeout(r, 300)));
  return new Response(String(Deno.pid)); });`;

const host = usePool(code);
const { on, options } = host;

/** Work that lasts until it is released. */
function held() {
  let release = () => {};
  let began = () => {};
  const started = new Promise<void>((resolve) => (began = resolve));
  const gate = new Promise<void>((resolve) => (release = resolve));
  const work = async (instance: FunctionInstance) => {
    began();
    await gate;
    return instance.pid;
  };
  return { work, started, release };
}

const pidOf = async (instance: FunctionInstance) => instance.pid;

it('starts an instance for the first call and uses it again for the next', async () => {
  const first = await on('a', async (instance, start) => [start, (await call(instance)).text]);
  const second = await on('a', async (instance, start) => [start, (await call(instance)).text]);
  expect(first[0]).toBe('cold');
  expect(second).toEqual(['warm', first[1]]);
});

it('never gives an instance to another function', async () => {
  const [a, b] = [await on('a', async ({ pid }) => pid), await on('b', async ({ pid }) => pid)];
  expect(a).not.toBe(b);
});

it('starts up to maxInstances, then lets calls wait in order', async () => {
  const [one, two] = [held(), held()];
  const running = [on('a', one.work), on('a', two.work)];
  await Promise.all([one.started, two.started]);
  const order: number[] = [];
  const waiting = [1, 2, 3].map((n) => on('a', async () => order.push(n)));
  expect(host.pool.statistics()).toMatchObject({ instances: 2, busy: 2, waiting: 3 });
  one.release();
  await Promise.all(waiting);
  expect(order).toEqual([1, 2, 3]);
  two.release();
  expect(new Set(await Promise.all(running)).size).toBe(2);
});

it('runs several calls at once in one instance when allowed', async () => {
  const [one, two, three] = [held(), held(), held()];
  const changed = { maxInstances: 1, concurrencyPerInstance: 3 };
  const running = [one, two, three].map(({ work }) => on('a', work, changed));
  await Promise.all([one.started, two.started, three.started]);
  expect(host.pool.statistics()).toMatchObject({ instances: 1, busy: 1, waiting: 0 });
  for (const { release } of [one, two, three]) release();
  expect(new Set(await Promise.all(running)).size).toBe(1);
});

it('refuses calls beyond the queue limit with 429 and Retry-After', async () => {
  const changed = { maxInstances: 1, queueLimit: 1 };
  const one = held();
  const running = on('a', one.work, changed);
  await one.started;
  const waiting = on('a', async () => 'served', changed);
  await expect(on('a', async () => 'never', changed)).rejects.toMatchObject({
    code: 'RATE_LIMIT_EXCEEDED',
    status: 429,
    headers: { 'Retry-After': '1' },
  });
  one.release();
  expect(await waiting).toBe('served');
  await running;
});

it('gives up waiting after the wait timeout, or when the caller does', async () => {
  const changed = { maxInstances: 1, waitTimeoutMs: 150 };
  const one = held();
  const running = on('a', one.work, { ...changed, waitTimeoutMs: 10_000 });
  await one.started;
  const controller = new AbortController();
  const aborted = on('a', async () => 'never', { maxInstances: 1 }, controller.signal);
  controller.abort(new Error('gone away'));
  await expect(aborted).rejects.toThrow('gone away');
  await expect(on('a', async () => 'never', changed)).rejects.toMatchObject({ code: 'RATE_LIMIT_EXCEEDED' });
  expect(host.pool.statistics().waiting).toBe(0);
  one.release();
  await running;
});

it('evicts the longest idle instance of another function when the host is full', async () => {
  const [a, b] = [await on('a', async ({ pid }) => pid), await on('b', async ({ pid }) => pid)];
  await on('c', async () => {});
  await eventually(() => processStartTime(a) === null);
  expect(processStartTime(b)).not.toBeNull();
  expect(
    host.pool
      .statistics()
      .functions.map(({ key }) => key)
      .toSorted(),
  ).toEqual(['b', 'c']);
});

it('does not let a function with a long line starve another', async () => {
  const order: string[] = [];
  const busy = async (key: string) => {
    await new Promise((resolve) => setTimeout(resolve, 30));
    order.push(key);
  };
  const noisy = Array.from({ length: 30 }, () => on('noisy', () => busy('noisy')));
  await eventually(() => order.length >= 2);
  const quiet = on('quiet', () => busy('quiet'));
  await Promise.all([...noisy, quiet]);
  expect(order.indexOf('quiet')).toBeLessThan(20);
});

it('runs a call on another instance when its own takes no connection any more', async () => {
  const spec = specFor(`
    const server = Deno.serve(() => {
      setTimeout(() => server.shutdown().then(() => console.log('stopped')));
      return new Response('answered');
    });`);
  const asked: FunctionInstance[] = [];
  const ask = () =>
    host.pool.withInstance(
      'a',
      () => spec,
      options,
      new Cancellation(),
      async (instance) => {
        asked.push(instance);
        return (await call(instance)).text;
      },
    );
  expect(await ask()).toBe('answered');
  await eventually(() => spec.logs.some(({ message }) => message === 'stopped'));
  expect(await ask()).toBe('answered');
  expect(asked.map(({ pid }) => pid === asked[0]!.pid)).toEqual([true, true, false]);
  expect((await asked[0]!.exited).reason).toBe('removed');
});

it('starts no more than the memory of the host has room for, and makes room by ending what is unused', async () => {
  // The pool has 1 GB.
  const large = { memoryBytes: 700 * 2 ** 20 };
  const first = await on('a', pidOf, large);
  const second = await on('b', pidOf, large);
  await eventually(() => processStartTime(first) === null);
  expect(processStartTime(second)).not.toBeNull();
  expect(host.pool.statistics()).toMatchObject({ instances: 1, memoryBytes: 700 * 2 ** 20 });
});

it('neither ends what is unused in vain for one that is too large now, nor lets it hold up those that fit', async () => {
  const megabytes = (count: number) => ({ memoryBytes: count * 2 ** 20 });
  const { work, started, release } = held();
  const running = on('busy', work, megabytes(100));
  await started;
  const unused = await on('unused', pidOf, megabytes(100));
  const large = on('large', pidOf, { ...megabytes(1000), waitTimeoutMs: 8_000 });
  await on('unused', pidOf, megabytes(100));
  expect(processStartTime(unused)).not.toBeNull();
  // The place of the unused one is taken by who fits into it.
  expect(await on('small', async () => 'ran', megabytes(100))).toBe('ran');
  release();
  await running;
  expect(processStartTime(await large)).not.toBeNull();
});

it('runs one that is larger than the host alone, so that it fails by itself and not by waiting', async () => {
  await on('a', pidOf);
  await on('huge', pidOf, { memoryBytes: 2 ** 40 });
  await eventually(() => host.pool.statistics().instances === 1);
  expect(host.pool.statistics().functions.map(({ key }) => key)).toEqual(['huge']);
});

it('kills idle instances after idleMs, so that nothing runs afterwards', async () => {
  const pid = await on('a', async (instance) => instance.pid, { idleMs: 50 });
  await eventually(() => processStartTime(pid) === null);
  // Of the end of a process its parent is told a little later.
  await eventually(() => host.pool.statistics().instances === 0);
  expect(host.pool.statistics()).toMatchObject({ instances: 0, memoryBytes: 0, functions: [] });
});

it('keeps an idle instance while it works in the background', async () => {
  const began = performance.now();
  const pid = await on('a', async (instance) => (await call(instance, '/background'), instance.pid), {
    idleMs: 50,
  });
  await eventually(() => processStartTime(pid) === null);
  expect(performance.now() - began).toBeGreaterThan(300);
});

it('kills work beyond its wall time and gives the next call a new instance', async () => {
  const stuck = on('a', (instance) => call(instance, '/loop'), { maxInstances: 1, wallTimeMs: 200 });
  const next = on('a', async (instance, start) => [start, (await call(instance)).status], {
    maxInstances: 1,
  });
  await expect(stuck).rejects.toMatchObject({ code: 'IDLE_TIMEOUT', status: 504 });
  expect(await next).toEqual(['cold', 200]);
});

it('cancels running work by killing its process', async () => {
  const controller = new AbortController();
  let pid = 0;
  const running = on(
    'a',
    (instance) => ((pid = instance.pid), call(instance, '/loop')),
    {},
    controller.signal,
  );
  await eventually(() => pid !== 0);
  controller.abort(new Error('cancelled by the caller'));
  await expect(running).rejects.toThrow('cancelled by the caller');
  await eventually(() => processStartTime(pid) === null);
});

it('replaces an instance that crashed, and keeps an answer given right before', async () => {
  await expect(on('a', (instance) => call(instance, '/exit'))).rejects.toMatchObject({
    code: 'WORKER_ERROR',
  });
  expect(await on('a', async (instance) => (await call(instance, '/answer-and-exit')).text)).toBe(
    'last words',
  );
  await eventually(() => host.pool.statistics().instances === 0);
  expect(await on('a', async (_, start) => start)).toBe('cold');
});

it('fails only the calls that wait for it when an instance does not start', async () => {
  const broken = host.pool.withInstance(
    'broken',
    () => specFor('throw new Error("no")'),
    options,
    new Cancellation(),
    async () => {},
  );
  const fine = on('a', async () => 'fine');
  await expect(broken).rejects.toMatchObject({ code: 'BOOT_ERROR' });
  expect(await fine).toBe('fine');
  expect(host.pool.statistics().functions.map(({ key }) => key)).toEqual(['a']);
});

it('drains: refuses new calls, finishes those accepted, and ends every process on close', async () => {
  const one = held();
  const running = on('a', one.work);
  await one.started;
  const drained = host.pool.drain(5_000);
  await expect(on('a', async () => {})).rejects.toMatchObject({ status: 503 });
  one.release();
  await drained;
  const pid = await running;
  await host.pool.close();
  expect(processStartTime(pid)).toBeNull();
});
