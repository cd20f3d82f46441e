import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { usageReport } from './usage-report.js';
import { startUsageServer, type RawInvocation, type UsageServer } from './usage-server.js';

const hourMs = 3_600_000;
const lambda = { perCall: 0.2 / 1e6, perGbSecond: 0.0000166667 };

let server: UsageServer;
beforeAll(async () => {
  server = await startUsageServer();
});
afterAll(() => server.close());

const usage = (query?: string) => usageReport(server, query);

/** The most memory at once, looked for at each beginning among all: another way than the platform's. */
function peakGb(records: readonly RawInvocation[]): number {
  const held = records.map(({ started_at: at, wall_ms, memory_bytes }) => ({
    from: at.getTime(),
    to: at.getTime() + wall_ms,
    gb: memory_bytes / 2 ** 30,
  }));
  const at = (moment: number) =>
    held.reduce((sum, { from, to, gb }) => sum + (from <= moment && moment < to ? gb : 0), 0);
  return Math.max(0, ...held.map(({ from }) => at(from)));
}

function lambdaCost(records: readonly RawInvocation[]): number {
  return records.reduce((sum, { wall_ms, memory_bytes }) => {
    const gbSeconds = ((memory_bytes / 2 ** 30) * Math.ceil(wall_ms)) / 1000;
    return sum + lambda.perCall + gbSeconds * lambda.perGbSecond;
  }, 0);
}

describe('what usage costs', () => {
  const day = '?from=2021-03-10&to=2021-03-11&prices=aws-lambda';
  const startMs = Date.parse('2021-03-10T00:00:00Z');

  it('is nothing on one’s own machine, until it is given prices', async () => {
    await server.record([server.newRecord('priced', new Date('2019-06-01T10:00:00Z'), { wallMs: 10_000 })]);
    const query = '?from=2019-06-01&to=2019-07-01';
    const { report } = await usage(query);
    expect(report.prices).toEqual({ name: 'This machine', currency: 'USD', as_of: null, source: null });
    expect(report.total).toMatchObject({ cost: 0, functions: { saved_percent: null } });
    const book = { name: 'Ours', currency: 'EUR', rates: [{ of: 'gb_seconds', price: 2 }] };
    expect((await server.manage('PUT', '/prices', book)).status).toBe(200);
    const priced = await usage(query);
    expect(priced.report).toMatchObject({ prices: { name: 'Ours', currency: 'EUR' }, total: { cost: 5 } });
    expect((await server.manage('PUT', '/prices', { preset: 'supabase' })).status).toBe(200);
    const { body } = await server.manage('GET', '/prices');
    expect(body).toMatchObject({
      prices: { name: 'Supabase Pro' },
      presets: { 'aws-lambda': { as_of: expect.stringMatching(/^2026-/), source: expect.any(String) } },
    });
  });

  it('by hundreds of spiky calls is what the records say, and far below an always-on server of their peak', async () => {
    // Four bursts in a day: thirty calls within two seconds each, of 256 MB and half a second.
    const calls = [1, 5, 14, 22].flatMap((hour) =>
      Array.from({ length: 30 }, (_, i) =>
        server.newRecord('spiky', new Date(startMs + hour * hourMs + i * 61), { wallMs: 400 + i * 7.3 }),
      ),
    );
    // Two that go on from one hour into the next, where they meet a third.
    const late = [3 * hourMs - 30_000, 3 * hourMs - 20_000, 3 * hourMs + 5_000].map((ms) =>
      server.newRecord('steady', new Date(startMs + ms), { wallMs: 60_000, memoryBytes: 2 ** 29 }),
    );
    await server.record([...calls, ...late]);
    const { report } = await usage(day);
    expect(report.prices.name).toBe('AWS Lambda');
    for (const slug of ['spiky', 'steady']) {
      const raw = await server.invocations(slug);
      const alwaysOn = peakGb(raw) * 86_400 * lambda.perGbSecond;
      const row = report.functions.find((each) => each.function === slug)!;
      expect(row.cost).toBeCloseTo(lambdaCost(raw), 12);
      expect(row.projected).toBe(row.cost);
      expect(row.always_on.gb).toBeCloseTo(peakGb(raw), 12);
      expect(row.always_on.cost).toBeCloseTo(alwaysOn, 9);
      expect(row.saved_percent).toBeCloseTo((1 - lambdaCost(raw) / alwaysOn) * 100, 6);
      expect(row.saved_percent).toBeGreaterThan(90);
    }
    const all = [...(await server.invocations('spiky')), ...(await server.invocations('steady'))];
    expect(report.total.functions.always_on.gb).toBeCloseTo(peakGb(all), 12);
    expect(report.total.cost).toBeCloseTo(lambdaCost(all), 12);
  });

  it('knows the peak also of invocations that are recorded later', async () => {
    const before = (await usage(day)).report.functions.find((each) => each.function === 'spiky')!;
    await server.record([
      server.newRecord('spiky', new Date(startMs + 4.9 * hourMs), { wallMs: hourMs, memoryBytes: 2 ** 30 }),
    ]);
    const after = (await usage(day)).report.functions.find((each) => each.function === 'spiky')!;
    expect(after.always_on.gb).toBeCloseTo(before.always_on.gb + 1, 12);
    expect(after.always_on.gb).toBeCloseTo(peakGb(await server.invocations('spiky')), 12);
  });

  it('is told again without a look at the records', async () => {
    const { report } = await usage(day);
    await server.rows('alter table invocations rename to hidden');
    try {
      expect((await usage(day)).report).toMatchObject({ functions: report.functions, total: report.total });
    } finally {
      await server.platform.database.query('alter table hidden rename to invocations');
    }
  });

  it('by any calls has the peak of their records', async () => {
    const call = fc.record({
      slug: fc.constantFrom('p', 'q'),
      startMs: fc.integer({ min: 0, max: 3 * hourMs }),
      wallMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2 * hourMs })),
      mb: fc.constantFrom(128, 512),
    });
    let month = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 25 }), async (calls) => {
        const from = Date.UTC(2000, month++, 1);
        await server.record(
          calls.map(({ slug, startMs: ms, wallMs, mb }) =>
            server.newRecord(slug, new Date(from + ms), { wallMs, memoryBytes: mb * 2 ** 20 }),
          ),
        );
        const to = new Date(from + 24 * hourMs).toISOString();
        const { report } = await usage(`?from=${new Date(from).toISOString()}&to=${to}`);
        const raw = (await server.invocations()).filter(
          ({ started_at: at }) => at.getTime() >= from && at.getTime() < from + 24 * hourMs,
        );
        for (const row of report.functions) {
          const own = raw.filter(({ function_slug: slug }) => slug === row.function);
          expect(row.always_on.gb).toBeCloseTo(peakGb(own), 9);
        }
        expect(report.total.functions.always_on.gb).toBeCloseTo(peakGb(raw), 9);
      }),
      { numRuns: 15 },
    );
  });

  it('shares out what a month has free, so that days and functions make up the month', async () => {
    const rates = [
      { of: 'invocations', per: 10, price: 1, included: 50 },
      { of: 'gb_seconds', price: 3, included: 2 },
    ];
    await server.manage('PUT', '/prices', { name: 'Ours', currency: 'EUR', rates });
    const at = (day_: number, hour: number) => new Date(Date.UTC(2018, 4, day_, hour));
    await server.record([
      ...Array.from({ length: 40 }, (_, i) =>
        server.newRecord('one', at(1 + (i % 5), i % 24), { wallMs: 1000 }),
      ),
      ...Array.from({ length: 40 }, (_, i) => server.newRecord('two', at(31, i % 24), { wallMs: 1000 })),
      server.newRecord('two', new Date(Date.UTC(2018, 5, 1)), { wallMs: 1000 }),
    ]);
    const { report } = await usage('?from=2018-05-01&to=2018-06-01&by=day');
    // 80 calls of 0.25 GB-s.
    const expected = 3 + (20 - 2) * 3;
    expect(report.total.cost).toBeCloseTo(expected, 9);
    expect(report.functions.reduce((sum, row) => sum + row.cost, 0)).toBeCloseTo(expected, 9);
    expect(report.series!.map(({ at: moment, function: slug }) => `${moment.slice(0, 10)} ${slug}`)).toEqual([
      ...[1, 2, 3, 4, 5].map((each) => `2018-05-0${each} one`),
      '2018-05-31 two',
    ]);
    expect(report.series!.reduce((sum, row) => sum + row.cost, 0)).toBeCloseTo(expected, 9);
    const lastDay = await usage('?from=2018-05-31&to=2018-06-01');
    expect(lastDay.report.total.cost).toBeCloseTo(expected / 2, 9);
    // A month of its own, in which all was free.
    const june = await usage('?from=2018-06-01&to=2018-07-01');
    expect(june.report.total.cost).toBe(0);
  });

  it('is projected to the end of the month as it went so far', async () => {
    await server.manage('PUT', '/prices', {
      name: 'Ours',
      currency: 'EUR',
      rates: [{ of: 'invocations', price: 1, included: 3 }],
    });
    const now = new Date();
    const from = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth()));
    const to = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1));
    await server.record(Array.from({ length: 5 }, () => server.newRecord('now', from)));
    const { report } = await usage();
    expect(report.period).toEqual({ from: from.toISOString(), to: to.toISOString() });
    const passed = Math.max(hourMs, Date.now() - from.getTime());
    const growth = (to.getTime() - from.getTime()) / passed;
    expect(report.total.cost).toBeCloseTo(5 - 3, 9);
    expect(report.total.projected / (5 * growth - 3)).toBeCloseTo(1, 2);
  });

  it('has what is stored, by the time that it is there', async () => {
    await server.manage('PUT', '/prices', {
      name: 'Ours',
      currency: 'EUR',
      rates: [{ of: 'bytes_stored', price: 1 }],
    });
    // 1000 bytes for half of a month of 30 days, then 4000 for a quarter, then none.
    await server.rows(
      `insert into gauge_hours (project_ref, hour, gauge, amount) values
         ($1, '2017-06-01T00:00:00Z', 'bytes_stored', 1000), ($1, '2017-06-16T00:00:00Z', 'bytes_stored', 4000),
         ($1, '2017-06-23T12:00:00Z', 'bytes_stored', 0)`,
      [server.project.ref],
    );
    expect((await usage('?from=2017-06-01&to=2017-07-01')).report.total.cost).toBeCloseTo(1500, 6);
    expect((await usage('?from=2017-06-01&to=2017-06-11')).report.total.cost).toBeCloseTo(1000 / 3, 6);
    expect((await usage('?from=2017-06-11&to=2017-07-01')).report.total.cost).toBeCloseTo(1500 - 1000 / 3, 6);
  });
});
