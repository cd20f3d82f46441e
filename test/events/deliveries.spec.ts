import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { EventsHttpModule } from '#libs/events';
import { WorkerModule } from '../../apps/worker/src/worker.module.js';
import { startFunctionsServer, type FunctionsServer } from '../functions/functions-server.js';
import { eventually } from '../support/eventually.js';
import { telling, tellingPermissions, tellingTables } from './telling-function.js';

let server: FunctionsServer;

const permissions = tellingPermissions;
const inserted = { event: 'row.inserted', table: 'public.jobs' };

interface Told {
  id: number;
  customer: string;
  size: number;
  attempt: number;
}
const told = async () =>
  (
    await server.project.database.query<Told>(
      'select id::integer, customer, size, attempt from public.told order by position',
    )
  ).rows;
const states = async () => {
  const { rows } = await server.platform.database.query<{ id: number; state: string; failures: number }>(
    `select (payload #>> '{record,id}')::integer as id, state, failures from deliveries order by sequence`,
  );
  return rows;
};
const allEnded = (count: number) =>
  eventually(async () => {
    const all = await states();
    return all.length === count && all.every(({ state }) => state === 'succeeded' || state === 'dead');
  });
const allAre = (state: string, count: number) =>
  eventually(async () => {
    const all = await states();
    return all.length === count && all.every((delivery) => delivery.state === state);
  });

beforeAll(async () => {
  server = await startFunctionsServer([EventsHttpModule, WorkerModule]);
  await server.project.database.query(tellingTables);
});
beforeEach(async () => {
  for (const slug of ['orderly', 'batching', 'retrying']) await server.manage('DELETE', `/functions/${slug}`);
  await server.platform.database.query('delete from deliveries');
  await server.project.database.query(
    'truncate public.told, public.jobs restart identity; truncate galley.outbox',
  );
});
afterAll(() => server.close());

describe('deliveries with an ordering key', () => {
  const orderly = (answer: string, settings = {}) =>
    server.deploy('orderly', telling(answer), {
      permissions,
      max_instances: 4,
      on: [{ ...inserted, ordering_key: 'customer', retry: { delays_ms: [100] }, ...settings }],
    });
  const orderOf = async (customer: string) =>
    (await told()).filter((one) => one.customer === customer).map(({ id }) => id);

  it('are made one after another for each key, in the order of the changes', async () => {
    await orderly('new Response()');
    await server.project.database.query(
      `insert into public.jobs select n, case when n % 2 = 0 then 'even' else 'odd' end from generate_series(1, 30) n`,
    );
    await allAre('succeeded', 30);
    const numbers = Array.from({ length: 15 }, (_, i) => i * 2);
    expect(await orderOf('odd')).toEqual(numbers.map((n) => n + 1));
    expect(await orderOf('even')).toEqual(numbers.map((n) => n + 2));
  });

  it('wait for one that is tried again, and go on after one that was given up', async () => {
    await orderly(`new Response(null, { status: ids[0] === 1 && attempt < 3 || ids[0] === 2 ? 500 : 200 })`, {
      attempts: 3,
    });
    await server.project.database.query(
      `insert into public.jobs values (1, 'ann'), (2, 'ann'), (3, 'ann'), (4, 'bob')`,
    );
    await allEnded(4);
    expect(await orderOf('ann')).toEqual([1, 1, 1, 2, 2, 2, 3]);
    expect(await orderOf('bob')).toEqual([4]);
    expect((await states()).map(({ state }) => state)).toEqual([
      'succeeded',
      'dead',
      'succeeded',
      'succeeded',
    ]);
  });

  it('have no order where the key is null', async () => {
    await orderly(`new Response(null, { status: ids[0] === 1 ? 500 : 200 })`, {
      attempts: 2,
      retry: { delays_ms: [60_000] },
    });
    await server.project.database.query(`insert into public.jobs values (1, null), (2, null)`);
    const expected = [
      { id: 1, state: 'queued', failures: 1 },
      { id: 2, state: 'succeeded', failures: 0 },
    ];
    await eventually(async () => JSON.stringify(await states()) === JSON.stringify(expected));
  });
});

describe('deliveries in batches', () => {
  const batching = (answer: string, batch: Record<string, number>, settings = {}) =>
    server.deploy('batching', telling(answer), {
      permissions,
      on: [{ ...inserted, batch, retry: { delays_ms: [100] }, ...settings }],
    });

  it('are given to the function together, as many as the size says, as one invocation', async () => {
    await batching('new Response()', { size: 5, window_ms: 2_000 });
    await server.project.database.query('insert into public.jobs select generate_series(1, 10)');
    await allAre('succeeded', 10);
    expect((await told()).map(({ size }) => size)).toEqual(Array(10).fill(5));
    const { body } = await server.manage('GET', '/invocations?function=batching');
    expect(body).toHaveLength(2);
  });

  it('wait no longer for others than the window says', async () => {
    await batching('new Response()', { size: 100, window_ms: 500 });
    await server.project.database.query('insert into public.jobs select generate_series(1, 3)');
    await allAre('succeeded', 3);
    expect((await told()).map(({ size }) => size)).toEqual([3, 3, 3]);
  });

  it('are done but for those that the function names, which alone are tried again', async () => {
    await batching(
      `Response.json({ batchItemFailures: events
         .filter((event) => event.data.record.id === 2 && event.galleyattempt < 3 || event.data.record.id === 3)
         .map(({ id }) => ({ itemIdentifier: id })) })`,
      { size: 4, window_ms: 1_000 },
      { attempts: 3 },
    );
    await server.project.database.query('insert into public.jobs select generate_series(1, 4)');
    await allEnded(4);
    expect(await states()).toEqual([
      { id: 1, state: 'succeeded', failures: 0 },
      { id: 2, state: 'succeeded', failures: 2 },
      { id: 3, state: 'dead', failures: 3 },
      { id: 4, state: 'succeeded', failures: 0 },
    ]);
    const runs = (await told()).map(({ id }) => id);
    expect([1, 2, 3, 4].map((id) => runs.filter((one) => one === id).length)).toEqual([1, 3, 3, 1]);
    const { rows } = await server.platform.database.query(
      'select from batch_items where succeeded group by delivery_id having count(*) = 1',
    );
    expect(rows).toHaveLength(3);
  });

  it('fail all together when the function does', async () => {
    await batching('new Response(null, { status: attempt === 1 ? 503 : 200 })', {
      size: 3,
      window_ms: 1_000,
    });
    await server.project.database.query('insert into public.jobs select generate_series(1, 3)');
    await allAre('succeeded', 3);
    expect((await states()).map(({ failures }) => failures)).toEqual([1, 1, 1]);
  });
});

it('a subscription has its own attempts and waits', async () => {
  await server.deploy('retrying', telling('new Response(null, { status: 500 })'), {
    permissions,
    attempts: 8,
    on: [{ ...inserted, attempts: 2, retry: { min_ms: 100, max_ms: 100 } }],
  });
  await server.project.database.query('insert into public.jobs values (1)');
  await allAre('dead', 1);
  expect((await told()).map(({ attempt }) => attempt)).toEqual([1, 2]);
});

it('no more invocations begin within a period than the rate of their function says', async () => {
  await server.deploy('retrying', telling('new Response()'), {
    permissions,
    rate: { count: 3, period_ms: 1_500 },
    on: [inserted],
  });
  await server.project.database.query('insert into public.jobs select generate_series(1, 8)');
  await allAre('succeeded', 8);
  const { rows } = await server.platform.database.query<{ most: number }>(
    `with own as (select started_at from invocations where delivery_id in (select id from deliveries))
     select max((select count(*) from own other where other.started_at > i.started_at - interval '1300 ms'
       and other.started_at <= i.started_at))::integer as most from own i`,
  );
  expect(rows[0]!.most).toBe(3);
});
