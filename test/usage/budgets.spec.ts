import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Budgets, type InvocationRecord } from '#libs/usage';
import { WorkerModule } from '../../apps/worker/src/worker.module.js';
import { eventually } from '../support/eventually.js';
import { usageReport } from './usage-report.js';
import { startUsageServer, type UsageServer } from './usage-server.js';

interface BudgetJson {
  function: string | null;
  measure: string;
  most: number;
  used: number;
  share: number;
  resets_at: string;
  warned_at: string | null;
  exceeded_at: string | null;
}

let server: UsageServer;
beforeAll(async () => {
  server = await startUsageServer([WorkerModule]);
  await server.deploy('counted', `Deno.serve(() => new Response('called'));`, {
    concurrency: 20,
    max_instances: 2,
  });
});
afterAll(() => server.close());
beforeEach(async () => {
  await put([]);
  await server.rows('truncate invocations, invocation_hours, budget_notices');
  await read();
});

const called = (more: Partial<InvocationRecord> = {}) =>
  server.newRecord('counted', new Date(), { wallMs: 1, ...more });

async function put(budgets: object[]): Promise<BudgetJson[]> {
  const { status, body } = await server.manage('PUT', '/budgets', budgets);
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body as unknown as BudgetJson[];
}

async function read(): Promise<BudgetJson[]> {
  return (await server.manage('GET', '/budgets')).body as unknown as BudgetJson[];
}

const statuses = async (times: number) => {
  const responses = await Promise.all(Array.from({ length: times }, () => server.call('counted')));
  await Promise.all(responses.map((response) => response.arrayBuffer()));
  return responses.map(({ status }) => status).toSorted((a, b) => a - b);
};

describe('a budget of invocations', () => {
  it('lets just so many begin, however many come at once, and says how to go on', async () => {
    await put([{ function: 'counted', measure: 'invocations', most: 25 }]);
    expect(await statuses(60)).toEqual([...Array(25).fill(200), ...Array(35).fill(429)]);
    const refused = await server.call('counted');
    const now = new Date();
    const nextMonth = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1)).toISOString();
    expect(await refused.json()).toEqual({
      code: 'BUDGET_EXCEEDED',
      message: `The budget of the function counted, 25 invocations a month, is used up until ${nextMonth}`,
      hint: 'Raise it, for holders of the secret key: PUT /v1/projects/local/budgets',
      budget: {
        function: 'counted',
        measure: 'invocations',
        most: 25,
        period: 'month',
        used: 25,
        currency: null,
        resets_at: nextMonth,
      },
    });
    expect(refused.headers.get('sb-error-code')).toBe('BUDGET_EXCEEDED');
    const waitMs = Number(refused.headers.get('retry-after')) * 1000;
    expect(Math.abs(waitMs - (Date.parse(nextMonth) - now.getTime()))).toBeLessThan(5000);
    expect(await server.invocations('counted')).toHaveLength(25);
  });

  it('never lets one begin too few or too many while its sums are read again and again', async () => {
    await put([{ function: null, measure: 'invocations', most: 300 }]);
    const budgets = server.get(Budgets);
    const done = new AbortController();
    const refreshing = (async () => {
      while (!done.signal.aborted) await budgets.refresh(server.project.ref);
    })();
    const all: number[] = [];
    for (let i = 0; i < 16; i++) all.push(...(await statuses(20)));
    done.abort();
    await refreshing;
    expect(all.filter((status) => status === 200)).toHaveLength(300);
  });

  it('lets calls begin again at once when it is raised', async () => {
    const budget = { function: 'counted', measure: 'invocations', most: 2 };
    await put([budget]);
    expect(await statuses(3)).toEqual([200, 200, 429]);
    await put([{ ...budget, most: 4 }]);
    expect(await statuses(3)).toEqual([200, 200, 429]);
    await put([]);
    expect(await statuses(3)).toEqual([200, 200, 200]);
  });

  it('is of its own function, or of all', async () => {
    await server.deploy('other', `Deno.serve(() => new Response());`);
    await put([{ function: 'counted', measure: 'invocations', most: 1 }]);
    expect(await statuses(2)).toEqual([200, 429]);
    expect((await server.call('other')).status).toBe(200);
    await put([{ measure: 'invocations', most: 2 }]);
    expect((await server.call('other')).status).toBe(429);
  });

  it('warns at its share and tells when it is used up, once in each period', async () => {
    await put([{ function: 'counted', measure: 'invocations', most: 10, warn_at: 0.5 }]);
    await statuses(4);
    expect((await read())[0]).toMatchObject({ used: 4, share: 0.4, warned_at: null, exceeded_at: null });
    await statuses(1);
    const warned = await eventually(async () => (await read())[0]!.warned_at);
    await statuses(8);
    await eventually(async () => (await read())[0]!.exceeded_at);
    expect((await read())[0]).toMatchObject({ used: 10, share: 1, warned_at: warned });
    expect(await server.rows('select kind from budget_notices order by kind')).toEqual([
      { kind: 'exceeded' },
      { kind: 'warned' },
    ]);
  });

  it('counts what other processes recorded, within a second or so', async () => {
    await put([{ function: 'counted', measure: 'invocations', most: 100 }]);
    expect(await statuses(1)).toEqual([200]);
    await server.record(Array.from({ length: 99 }, () => called()));
    await eventually(async () => (await server.call('counted')).status === 429, { within: 3_000 });
  });

  it('of a day is not that of the day before', async () => {
    const yesterday = new Date(Date.now() - 24 * 3_600_000);
    await server.record(Array.from({ length: 5 }, () => called({ startedAt: yesterday })));
    const [budget] = await put([{ function: 'counted', measure: 'invocations', most: 2, period: 'day' }]);
    expect(budget).toMatchObject({ used: 0, resets_at: expect.stringMatching(/T00:00:00\.000Z$/) });
    expect(await statuses(3)).toEqual([200, 200, 429]);
  });
});

describe('a budget of money or memory', () => {
  it('is refused where functions cost nothing: it would never stop them', async () => {
    const budget = { measure: 'cost', most: 1 };
    const stored = { of: 'bytes_stored', price: 1 };
    for (const rates of [[], [stored], [stored, { of: 'invocations', price: 0 }]]) {
      await server.manage('PUT', '/prices', { name: 'Ours', currency: 'CHF', rates });
      expect(await server.manage('PUT', '/budgets', [budget])).toMatchObject({
        status: 400,
        body: { hint: 'Set prices first: PUT /v1/projects/local/prices' },
      });
    }
    expect(await read()).toEqual([]);
    await server.manage('PUT', '/prices', { preset: 'supabase' });
    expect(await put([budget])).toMatchObject([{ used: 0 }]);
  });

  it('stops calls when what ended has used it up', async () => {
    await put([{ function: 'counted', measure: 'gb_ms', most: 1000 }]);
    expect(await statuses(1)).toEqual([200]);
    await server.record([called({ wallMs: 4000 })]);
    await read();
    expect(await statuses(1)).toEqual([429]);
  });

  it('is in the currency of the price book, and follows it', async () => {
    await server.manage('PUT', '/prices', {
      name: 'Ours',
      currency: 'CHF',
      rates: [{ of: 'invocations', price: 0.5, included: 2 }],
    });
    await put([{ measure: 'cost', most: 1 }]);
    // Two are free, two more cost all of it.
    for (const status of [200, 200, 200, 200, 429])
      expect((await server.call('counted')).status).toBe(status);
    const refused = (await (await server.call('counted')).json()) as { message: string };
    expect(refused.message).toMatch(/^The budget of this project, 1 CHF a month/);
    await server.manage('PUT', '/prices', { name: 'Free', currency: 'CHF', rates: [] });
    expect((await server.call('counted')).status).toBe(200);
  });

  it('is of all that the report charges for functions, also what they sent elsewhere and used between calls', async () => {
    const rates = [
      { of: 'cpu_seconds', price: 1 },
      { of: 'function_egress_bytes', per: 1e9, price: 1 },
    ];
    await server.manage('PUT', '/prices', { name: 'Ours', currency: 'EUR', rates });
    await server.rows(
      `insert into background_usage (project_ref, hour, deployment_id, function_slug, starts, boot_cpu_ms,
         idle_cpu_ms, egress_sent_bytes)
       values ($1, date_trunc('hour', now(), 'UTC'), gen_random_uuid(), 'counted', 1, 30000, 20000, 50000000000)`,
      [server.project.ref],
    );
    const [budget] = await put([{ function: 'counted', measure: 'cost', most: 90, period: 'day' }]);
    const { report } = await usageReport(server);
    const row = report.functions.find((each) => each.function === 'counted')!;
    expect(row.cost).toBeGreaterThanOrEqual(100);
    expect(budget!.used / row.cost).toBeCloseTo(1, 1);
    expect(await statuses(1)).toEqual([429]);
    await server.rows(`delete from background_usage where egress_sent_bytes = 50000000000`);
  });
});

describe('events whose budget is used up', () => {
  it('wait without losing attempts, and go on when it is raised', async () => {
    await server.deploy('woken', `Deno.serve(() => new Response());`, {
      attempts: 1,
      on: [{ event: 'object.created' }],
    });
    const budget = { function: 'woken', measure: 'invocations', most: 3 };
    await put([budget]);
    const storage = server.client(server.keys.secretKey).storage;
    await storage.createBucket('budgeted');
    await Promise.all(Array.from({ length: 8 }, (_, i) => storage.from('budgeted').upload(`${i}`, 'x')));
    const states = () =>
      server.rows<{ state: string; attempts: number }>(
        `select state, attempts from deliveries where function_slug = 'woken' order by state, attempts`,
      );
    const is = (state: string, attempts: number) => ({ state, attempts });
    await eventually(async () => {
      const now = await states();
      return now.length === 8 && now.filter(({ state }) => state === 'succeeded').length === 3;
    });
    // Those that were taken when it was used up are given back; now and then one is taken to see.
    const resting = await eventually(async () => {
      const now = await states();
      return now.every(({ state }) => state !== 'running') && now;
    });
    expect(resting).toEqual([...Array(5).fill(is('queued', 0)), ...Array(3).fill(is('succeeded', 1))]);
    await put([{ ...budget, most: 100 }]);
    await eventually(async () => (await states()).every(({ state }) => state === 'succeeded'), {
      within: 30_000,
    });
    expect(await states()).toEqual(Array(8).fill(is('succeeded', 1)));
  }, 60_000);
});

describe('budgets', () => {
  it.each([
    [[{ measure: 'moons', most: 1 }], /budgets\.0\.measure/],
    [[{ measure: 'cost', most: 0 }], /budgets\.0\.most/],
    [[{ function: 'a/b', measure: 'cost', most: 1 }], /budgets\.0\.function/],
    [[{ measure: 'cost', most: 1, warn_at: 2 }], /budgets\.0\.warn_at/],
    [
      [
        { measure: 'cost', most: 1 },
        { measure: 'cost', most: 2 },
      ],
      /one budget for each/,
    ],
    [{ measure: 'cost' }, /budgets: /],
  ])('are refused as %j', async (budgets, message) => {
    const { status, body } = await server.manage('PUT', '/budgets', budgets);
    expect(status).toBe(400);
    expect((body as { message?: string }).message).toMatch(message);
  });
});
