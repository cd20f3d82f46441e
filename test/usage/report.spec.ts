import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { insertInvocations, tidyUsage } from '#libs/usage';
import { usageReport } from './usage-report.js';
import { startUsageServer, type UsageServer } from './usage-server.js';

const hourMs = 3_600_000;

let server: UsageServer;
beforeAll(async () => {
  server = await startUsageServer();
});
afterAll(() => server.close());

const usage = (query?: string) => usageReport(server, query);

describe('the sums by the hour', () => {
  it('are those of the records, whatever is written at once, repeated or taken back', async () => {
    const start = Date.parse('2020-01-31T20:00:00Z');
    const one = fc.record({
      slug: fc.constantFrom('a', 'b', 'c'),
      afterMs: fc.integer({ min: 0, max: 8 * hourMs }),
      wallMs: fc.double({ min: 0, max: 1e5, noNaN: true }),
      memoryMb: fc.constantFrom(32, 100, 256),
      isFailed: fc.boolean(),
      isCold: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(one, { maxLength: 12 }), { minLength: 1, maxLength: 6 }),
        async (batches) => {
          const records = batches.map((batch) =>
            batch.map(({ slug, afterMs, wallMs, memoryMb, isFailed, isCold }) =>
              server.newRecord(slug, new Date(start + afterMs), {
                wallMs,
                memoryBytes: memoryMb * 2 ** 20,
                status: isFailed ? 'failed' : 'succeeded',
                start: isCold ? 'cold' : 'warm',
              }),
            ),
          );
          await Promise.all(records.map(server.record));
          await Promise.all(records.map(server.record));
          await server.platform.database
            .transaction(async (tx) => {
              await insertInvocations(tx, [server.newRecord('a', new Date(start))]);
              throw new Error('taken back');
            })
            .catch(() => {});
          await expectSumsOfRecords();
        },
      ),
      { numRuns: 12 },
    );
    expect(await tidyUsage(server.platform.database, server.project.ref, new Date())).toBeGreaterThan(0);
    await expectSumsOfRecords();
    expect(await server.rows('select from invocation_hours where part <> 0')).toEqual([]);
  });

  async function expectSumsOfRecords() {
    const of = (time: string, table: string, sums: string) =>
      server.rows<Record<string, number | string>>(
        `select function_slug, ${time} as hour, ${sums} from ${table} group by 1, 2 order by 1, 2`,
      );
    const kept = await of(
      'hour',
      'invocation_hours',
      `sum(invocations)::float8 as n, sum(failed)::float8 as failed, sum(cold_starts)::float8 as cold,
       sum(wall_ms) as wall, max(longest_wall_ms) as longest, sum(gb_ms) as gb, sum(whole_gb_ms) as whole,
       sum(bytes_in)::float8 as bytes_in, sum(bytes_out)::float8 as bytes_out`,
    );
    const raw = await of(
      `to_timestamp(floor(extract(epoch from started_at) / 3600) * 3600)`,
      'invocations',
      `count(*)::float8 as n, count(*) filter (where status = 'failed')::float8 as failed,
       count(*) filter (where start = 'cold')::float8 as cold, sum(wall_ms) as wall, max(wall_ms) as longest,
       sum(gb_ms) as gb, sum(ceil(wall_ms) * memory_bytes / 1073741824.0) as whole,
       sum(bytes_in)::float8 as bytes_in, sum(bytes_out)::float8 as bytes_out`,
    );
    expect(kept).toHaveLength(raw.length);
    for (const [i, row] of kept.entries()) {
      for (const [name, value] of Object.entries(row)) {
        if (typeof value !== 'number') expect(value).toEqual(raw[i]![name]);
        else
          expect(Math.abs(value - (raw[i]![name] as number))).toBeLessThanOrEqual(1e-9 * Math.max(1, value));
      }
    }
  }
});

describe('the report', () => {
  const april = '?from=2016-04-01&to=2016-05-01';

  it('is CSV for who asks for it', async () => {
    await server.record([
      server.newRecord('csv', new Date('2016-04-02T03:00:00Z')),
      server.newRecord('csv', new Date('2016-04-02T04:00:00Z'), { status: 'failed' }),
    ]);
    const ask = (path: string, accept = '*/*') =>
      fetch(`${server.url}/v1/projects/local${path}`, {
        headers: { authorization: `Bearer ${server.keys.secretKey}`, accept },
      });
    const file = await ask(`/usage.csv${april}&by=hour`);
    expect(file.headers.get('content-type')).toMatch(/^text\/csv/);
    const [head, ...lines] = (await file.text()).trimEnd().split('\r\n');
    expect(head).toMatch(/^at,function,invocations,failed,.*,cost$/);
    expect(lines.map((line) => line.split(',').slice(0, 4))).toEqual([
      ['2016-04-02T03:00:00.000Z', 'csv', '1', '0'],
      ['2016-04-02T04:00:00.000Z', 'csv', '1', '1'],
    ]);
    const asked = await ask(`/usage${april}`, 'text/csv');
    expect((await asked.text()).split('\r\n')[1]).toMatch(/^csv,2,1,0,200,/);
  });

  it.each([
    ['?from=2026-05-01&to=2026-04-01', /`from` before `to`/],
    ['?from=2020-01-01&to=2026-01-01', /at most 400 days/],
    ['?from=2026-01-01&to=2026-04-01&by=hour', /at most 31 days by hour/],
    ['?from=yesterday', /from: expected a date/],
    ['?from=2026-13-01', /from: expected a moment/],
    ['?from=0000-01-01&to=0000-02-01', /from: expected a moment since 1970/],
    ['?from=0000-01-01T00:00:00%2B14:00&to=0000-02-01', /from: expected a moment since 1970/],
    ['?by=week', /by/],
    ['?prices=azure', /There are no prices named azure/],
    ['?prices=__proto__', /There are no prices named/],
  ])('refuses %s', async (query, message) => {
    const { status, body } = await usage(query);
    expect(status).toBe(400);
    expect((body as { message?: string }).message).toMatch(message);
  });

  it.each([
    [{ name: 'x', currency: 'euro', rates: [] }, /currency/],
    [{ name: 'x', currency: 'EUR', rates: [{ of: 'moons', price: 1 }] }, /rates\.0\.of/],
    [{ name: 'x', currency: 'EUR', rates: [{ of: 'events', price: -1 }] }, /rates\.0\.price/],
    [
      {
        name: 'x',
        currency: 'EUR',
        rates: [
          { of: 'events', price: 1 },
          { of: 'events', price: 2 },
        ],
      },
      /each quantity once/,
    ],
  ])('refuses the prices %j', async (book, message) => {
    const { status, body } = await server.manage('PUT', '/prices', book);
    expect(status).toBe(400);
    expect((body as { message?: string }).message).toMatch(message);
  });

  it('is for holders of the secret key alone', async () => {
    for (const path of ['usage', 'usage.csv', 'prices', 'budgets']) {
      const response = await fetch(`${server.url}/v1/projects/local/${path}`, {
        headers: { authorization: `Bearer ${server.keys.publishableKey}` },
      });
      expect(response.status).toBe(403);
    }
  });
});
