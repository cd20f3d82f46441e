import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { totalmem } from 'node:os';
import { FunctionRuntime } from '#libs/functions';
import { isolationLevel } from '../../libs/functions/src/runtime/function-runtime.js';
import { eventually } from '../support/eventually.js';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';

let server: FunctionsServer;
beforeAll(async () => {
  server = await startFunctionsServer([], { GALLEY_MAX_INSTANCES: '6' });
});
afterAll(() => server.close());

const burn = `const burn = (ms) => { const end = performance.now() + ms; while (performance.now() < end); };`;
const pid = `Deno.serve(() => new Response(String(Deno.pid)));`;
const textOf = async (path: string, init?: RequestInit) => (await server.call(path, init)).text();
const isAlive = (id: number) => {
  try {
    return process.kill(id, 0);
  } catch {
    return false;
  }
};

describe('cpu_ms', () => {
  it('ends an invocation that uses more processor time, with 546, and the next one runs', async () => {
    await server.deploy(
      'hungry',
      `${burn} Deno.serve((request) => { if (request.method === 'POST') for (;;); burn(20); return new Response('well'); });`,
      { cpu_ms: 300 },
    );
    expect(await textOf('hungry')).toBe('well');
    const began = performance.now();
    const response = await server.call('hungry', { method: 'POST' });
    expect([response.status, await response.json()]).toEqual([
      546,
      { code: 'WORKER_LIMIT', message: 'The function used more CPU time than its limit.' },
    ]);
    // Others take their share of the processors; the limit counts only what this process had.
    expect(performance.now() - began).toBeLessThan(5_000);
    const [record] = await server.invocationsOf('hungry', 2);
    expect(record).toMatchObject({
      status: 'failed',
      error: 'WORKER_LIMIT: The function used more CPU time than its limit.',
    });
    expect(record!.cpu_ms).toBeGreaterThan(300);
    // Looked at each 100 ms, of two processors at most.
    expect(record!.cpu_ms).toBeLessThan(600);
    expect(await textOf('hungry')).toBe('well');
  });

  it('is counted for each invocation anew, and not while it waits', async () => {
    await server.deploy(
      'modest',
      `${burn} Deno.serve(async () => {
        burn(100); await new Promise((r) => setTimeout(r, 300)); burn(50); return new Response(String(Deno.pid)); });`,
      { cpu_ms: 400 },
    );
    const first = await textOf('modest');
    for (let i = 0; i < 3; i += 1) expect(await textOf('modest')).toBe(first);
  });

  it('bounds the background work of the invocation, too', async () => {
    await server.deploy(
      'after',
      `Deno.serve(() => { EdgeRuntime.waitUntil((async () => {
        await new Promise((r) => setTimeout(r, 20)); for (;;); })()); return new Response(String(Deno.pid)); });`,
      { cpu_ms: 200 },
    );
    const id = Number(await textOf('after'));
    await eventually(() => !isAlive(id));
    const [record] = await server.invocationsOf('after', 1);
    expect(record).toMatchObject({ status: 'succeeded' });
    expect(record!.cpu_ms).toBeGreaterThan(200);
  });
});

describe('policy', () => {
  const background = `let busy = 0; Deno.serve(() => {
    const seen = busy; busy += 1;
    EdgeRuntime.waitUntil(new Promise((r) => setTimeout(() => { busy -= 1; r(0); }, 250)));
    return Response.json([Deno.pid, seen]); });`;
  const answers = async (slug: string) => [
    JSON.parse(await textOf(slug)) as [number, number],
    JSON.parse(await textOf(slug)) as [number, number],
  ];

  it('per_worker lets the next invocation begin beside the background work of the last', async () => {
    await server.deploy('meets', background, { max_instances: 1 });
    const [first, second] = await answers('meets');
    expect(second).toEqual([first![0], 1]);
  });

  it('per_request lets it begin after that, in the same process', async () => {
    await server.deploy('alone', background, { max_instances: 1, policy: 'per_request' });
    const [first, second] = await answers('alone');
    expect(second).toEqual([first![0], 0]);
  });

  it('per_request gives the answer and what comes after it one wall time together', async () => {
    await server.deploy(
      'endless',
      `Deno.serve(() => { EdgeRuntime.waitUntil(new Promise(() => {})); return new Response(String(Deno.pid)); });`,
      { policy: 'per_request', timeout_ms: 400 },
    );
    const response = await server.call('endless');
    const id = Number(await response.text());
    await eventually(() => !isAlive(id));
    const [record] = await server.invocationsOf('endless', 1);
    expect(record).toMatchObject({ status: 'succeeded' });
    expect(record!.wall_ms).toBeGreaterThanOrEqual(395);
    expect(record!.wall_ms).toBeLessThan(1_000);
  });

  it('oneshot gives each invocation a process of its own, which is gone afterwards', async () => {
    await server.deploy('once', `let calls = 0; Deno.serve(() => new Response(Deno.pid + ' ' + ++calls));`, {
      policy: 'oneshot',
    });
    const texts = await Promise.all([1, 2, 3, 4, 5, 6].map(() => textOf('once')));
    const ids = texts.map((text) => Number(text.split(' ')[0]));
    expect(texts.every((text) => text.endsWith(' 1'))).toBe(true);
    expect(new Set(ids).size).toBe(6);
    await eventually(() => ids.every((id) => !isAlive(id)));
    const records = await server.invocationsOf('once', 6);
    expect(records.every(({ start, boot_ms: bootMs }) => start === 'cold' && bootMs! > 0)).toBe(true);
  });

  it('oneshot takes an instance that was kept ready, and has another made ready', async () => {
    await server.deploy('spare', pid, { policy: 'oneshot', min_instances: 1 });
    const seen = new Set<string>();
    // Not all of them need find it ready: the first came before it, perhaps.
    while (seen.size < 3) {
      seen.add(await textOf('spare'));
      await eventually(async () => (await usageOf('spare')).starts > seen.size);
    }
    const records = await server.invocationsOf('spare', 3);
    expect(records.some(({ start, boot_ms: bootMs }) => start === 'warm' && bootMs === null)).toBe(true);
    await server.manage('DELETE', '/functions/spare');
  });
});

const usageOf = async (slug: string) => {
  const { body } = await server.manage('GET', '/usage');
  const { functions } = body as unknown as {
    functions: {
      function: string;
      starts: number;
      boot_cpu_ms: number;
      cpu_ms: number;
      idle_cpu_ms: number;
    }[];
  };
  return (
    functions.find((each) => each.function === slug) ?? {
      starts: 0,
      boot_cpu_ms: 0,
      cpu_ms: 0,
      idle_cpu_ms: 0,
    }
  );
};

describe('min_instances', () => {
  it('are started with the activation, outlive their idle time, and make room for nobody', async () => {
    await server.deploy('ready', pid, { min_instances: 2, idle_ms: 50 });
    await eventually(async () => (await usageOf('ready')).starts === 2);
    const id = await textOf('ready');
    const [record] = await server.invocationsOf('ready', 1);
    expect(record).toMatchObject({ start: 'warm', boot_ms: null });
    // Enough others for all places of the host.
    for (const slug of ['other-1', 'other-2', 'other-3', 'other-4', 'other-5']) {
      await server.deploy(slug, pid);
      await textOf(slug);
    }
    expect(isAlive(Number(id))).toBe(true);
    expect((await usageOf('ready')).starts).toBe(2);
  });

  it('are replaced when they die', async () => {
    const before = await usageOf('ready');
    const id = Number(await textOf('ready'));
    process.kill(id, 'SIGKILL');
    await eventually(async () => (await usageOf('ready')).starts > before.starts);
    expect((await server.call('ready')).status).toBe(200);
  });

  it('go with the deployment that asked for them', async () => {
    const id = Number(await textOf('ready'));
    await server.deploy('ready', `${pid}//`);
    await eventually(() => !isAlive(id));
    expect((await server.call('ready')).status).toBe(200);
  });

  it('that never start are tried again later and later', async () => {
    await server.deploy('broken', 'throw new Error("oh");', { min_instances: 1 });
    await eventually(async () => (await usageOf('broken')).boot_cpu_ms > 0);
    const { boot_cpu_ms: once } = await usageOf('broken');
    expect((await usageOf('broken')).boot_cpu_ms).toBeLessThan(once * 3);
    await server.manage('DELETE', '/functions/broken');
  });

  it('of all functions together leave half of the host to others', async () => {
    const answer = await server.tryDeploy('greedy', pid, { min_instances: 4 });
    expect([answer.status, answer.body]).toEqual([
      400,
      expect.objectContaining({
        code: 'invalid_manifest',
        message: expect.stringMatching(
          /^functions\.greedy\.min_instances: this host keeps 3 instances ready at most/,
        ),
      }),
    ]);
    await server.deploy('two-kept', pid, { min_instances: 2 });
    const next = await server.tryDeploy('two-more', pid, { min_instances: 2 });
    expect(next.body).toMatchObject({ message: expect.stringContaining('other functions have 2 of them') });
    await server.manage('DELETE', '/functions/two-kept');
  });
});

describe('a setting that this host cannot keep to is refused when it is deployed', () => {
  it('as is more memory than there is', async () => {
    const tooMuchMb = Math.min(8192, Math.ceil(totalmem() / 2 ** 20) + 1);
    const answer = await server.tryDeploy('huge', pid, { memory_mb: tooMuchMb });
    expect(answer.status).toBe(tooMuchMb === 8192 ? 201 : 400);
  });

  it('as is isolation = "strong" where functions do not get it', async () => {
    const level = isolationLevel(server.get(FunctionRuntime).isolation());
    const answer = await server.tryDeploy('locked', pid, { isolation: 'strong' });
    expect(answer.status).toBe(level === 'strong' ? 201 : 400);
    if (level === 'strong') return;
    expect(answer.body).toMatchObject({
      code: 'invalid_manifest',
      message: expect.stringContaining(
        `isolation: this host gives functions the level "${level}", not "strong"`,
      ),
    });
  });
});

it('idle_ms ends an unused instance after that time', async () => {
  await server.deploy('brief', pid, { idle_ms: 0 });
  const id = Number(await textOf('brief'));
  await eventually(() => !isAlive(id));
  expect(await textOf('brief')).not.toBe(String(id));
});
