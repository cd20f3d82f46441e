import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { InvokeFunction } from '#libs/functions';
import { newDelivery } from './new-delivery.js';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';

const burn = `const burn = (ms) => { const end = performance.now() + ms; while (performance.now() < end); };`;
const megabytes = 1024 * 1024;

let server: FunctionsServer;
beforeAll(async () => {
  server = await startFunctionsServer();
});
afterAll(() => server.close());

describe('what an invocation is charged with', () => {
  it('is what its process used up to the last look when the process ends itself', async () => {
    await server.deploy(
      'suicidal',
      `${burn} Deno.serve(() => { new Uint8Array(100 * ${megabytes}).fill(1); burn(1000); Deno.exit(0); });`,
    );
    expect((await server.call('suicidal')).status).toBe(500);
    const [record] = await server.invocationsOf('suicidal', 1);
    // Other processes take their share of the processors.
    expect(record!.cpu_ms).toBeGreaterThan(150);
    expect(record!.peak_memory_bytes).toBeGreaterThan(100 * megabytes);
  });

  it('includes the work that it gave to EdgeRuntime.waitUntil', async () => {
    await server.deploy(
      'afterwards',
      `${burn} Deno.serve(() => {
        EdgeRuntime.waitUntil((async () => {
          await new Promise((r) => setTimeout(r, 50));
          globalThis.held = new Uint8Array(100 * ${megabytes}).fill(1);
          burn(800);
        })());
        return new Response('answered');
      });`,
    );
    expect(await (await server.call('afterwards')).text()).toBe('answered');
    const [record] = await server.invocationsOf('afterwards', 1);
    expect(record).toMatchObject({ status: 'succeeded' });
    expect(record!.cpu_ms).toBeGreaterThan(100);
    expect(record!.wall_ms).toBeGreaterThanOrEqual(845);
    expect(record!.peak_memory_bytes).toBeGreaterThan(100 * megabytes);
  });

  it('includes background work that keeps the instance busy, for which the next call waits uncharged', async () => {
    await server.deploy(
      'blocked',
      `${burn} Deno.serve((request) => {
        if (request.method === 'POST') EdgeRuntime.waitUntil((async () => {
          await new Promise((r) => setTimeout(r, 50));
          burn(300);
          console.log('burns');
          burn(1200);
        })());
        return new Response('answered');
      });`,
      { max_instances: 1 },
    );
    await server.call('blocked', { method: 'POST' });
    await server.hasLogged('blocked', 'burns');
    expect(await (await server.call('blocked')).text()).toBe('answered');
    const [next, burning] = await server.invocationsOf('blocked', 2);
    expect(burning!.cpu_ms).toBeGreaterThan(200);
    expect(burning!.wall_ms).toBeGreaterThanOrEqual(1400);
    expect(next).toMatchObject({ status: 'succeeded', start: 'warm' });
    expect(next!.cpu_ms).toBeLessThan(burning!.cpu_ms / 2);
    expect(next!.wall_ms).toBeLessThan(burning!.wall_ms / 2);
  });

  it('ends where the next invocation on the instance begins', async () => {
    await server.deploy(
      'relieved',
      `Deno.serve(() => { EdgeRuntime.waitUntil(new Promise((r) => setTimeout(r, 1500))); return new Response(); });`,
      { max_instances: 1 },
    );
    await server.call('relieved');
    await server.call('relieved');
    const [first] = await server.invocationsOf('relieved', 1);
    expect(first!.start).toBe('cold');
    expect(first!.wall_ms).toBeLessThan(1500);
    const [second] = await server.invocationsOf('relieved', 2);
    expect(second!.wall_ms).toBeGreaterThanOrEqual(1000);
  });

  it('is an equal part for each of those that run at once', async () => {
    await server.deploy(
      'shared',
      `${burn}
      let calls = 0, go; const both = new Promise((resolve) => (go = resolve));
      Deno.serve(async () => {
        if (++calls === 2) { burn(400); go(); }
        await both;
        return new Response();
      });`,
      { concurrency: 2, max_instances: 1, check: false },
    );
    const began = performance.now();
    await Promise.all([server.call('shared'), server.call('shared')]);
    const elapsedMs = performance.now() - began;
    const [one, other] = await server.invocationsOf('shared', 2);
    expect(one!.cpu_ms + other!.cpu_ms).toBeGreaterThan(100);
    // Charged to both in full, it would be twice what one thread can have used.
    expect(one!.cpu_ms + other!.cpu_ms).toBeLessThan(elapsedMs);
    expect(Math.abs(one!.cpu_ms - other!.cpu_ms)).toBeLessThan(100);
  });

  it('of an event is known when its background work has ended, or its worker stops', async () => {
    await server.deploy(
      'patient',
      `Deno.serve(() => { EdgeRuntime.waitUntil(new Promise((r) => setTimeout(r, 400))); return new Response(); });`,
    );
    const ended = await deliver('patient', new AbortController().signal);
    expect(ended).toMatchObject({ status: 'succeeded' });
    expect(ended.record!.wallMs).toBeGreaterThanOrEqual(395);
    await server.deploy(
      'tireless',
      `Deno.serve(() => {
        setTimeout(() => console.log('still at it'), 100);
        EdgeRuntime.waitUntil(new Promise(() => {}));
        return new Response();
      });`,
    );
    const worker = new AbortController();
    const delivered = deliver('tireless', worker.signal);
    await server.hasLogged('tireless', 'still at it');
    worker.abort();
    expect(await delivered).toMatchObject({ status: 'succeeded', record: { httpStatus: 200 } });
  });

  it('is bounded by the wall time also in the background', async () => {
    const manifest = { timeout_ms: 500 };
    await server.deploy(
      'forever',
      `Deno.serve(() => { EdgeRuntime.waitUntil(new Promise(() => {})); return new Response(); });`,
      manifest,
    );
    expect((await server.call('forever')).status).toBe(200);
    const [record] = await server.invocationsOf('forever', 1);
    expect(record).toMatchObject({ status: 'succeeded' });
    expect(record!.wall_ms).toBeGreaterThanOrEqual(495);
  });
});

function deliver(functionSlug: string, signal: AbortSignal) {
  return server.get(InvokeFunction).invokeForEvent(server.project, newDelivery(functionSlug), signal);
}
