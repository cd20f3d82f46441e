import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  EventsHttpModule,
  JobQueue,
  leaveParcel,
  queueNameOf,
  startDeliveries,
  type StartedDelivery,
} from '#libs/events';
import { newId } from '#libs/platform';
import { WorkerModule } from '../../apps/worker/src/worker.module.js';
import { startFunctionsServer, type FunctionsServer } from '../functions/functions-server.js';
import { eventually } from '../support/eventually.js';
import { telling, tellingPermissions, tellingTables } from './telling-function.js';

let server: FunctionsServer;

const rows = async <Row extends object>(text: string) =>
  (await server.platform.database.query<Row>(text)).rows;
const insertJobs = (count: number) =>
  server.project.database.query(`insert into public.jobs select n, 'c' from generate_series(1, ${count}) n`);
const allAre = (state: string, count: number) =>
  eventually(async () => {
    const all = await rows<{ state: string }>('select state from deliveries');
    return all.length === count && all.every((delivery) => delivery.state === state);
  });
/** How often each delivery was recorded as made. */
const records = () =>
  rows<{ attempts: number; failures: number; succeeded: number }>(
    `select attempts, failures, (select count(*)::integer from invocations i
                                 where i.delivery_id = d.id and i.status = 'succeeded') as succeeded from deliveries d`,
  );

/** A URL that answers nobody until it is opened. */
async function closedDoor() {
  const waiting: ServerResponse[] = [];
  let isOpen = false;
  const door = createServer((_request, response) => {
    if (isOpen) response.end();
    else waiting.push(response);
  });
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(door.address() as AddressInfo).port}`,
    open() {
      isOpen = true;
      for (const response of waiting) response.end();
    },
    close: () => new Promise((resolve) => door.close(resolve)),
  };
}

beforeAll(async () => {
  server = await startFunctionsServer([EventsHttpModule, WorkerModule]);
  await server.project.database.query(tellingTables);
});
beforeEach(async () => {
  for (const slug of ['many', 'slow']) await server.manage('DELETE', `/functions/${slug}`);
  await server.platform.database.query('delete from deliveries');
  await server.project.database.query(
    'truncate public.told, public.jobs restart identity; truncate galley.outbox',
  );
});
afterAll(() => server.close());

describe('deliveries that came together', () => {
  const deploy = (slug: string, code: string, settings = {}) =>
    server.deploy(slug, code, {
      permissions: tellingPermissions,
      max_instances: 1,
      on: [{ event: 'row.inserted', table: 'public.jobs', retry: { delays_ms: [100] } }],
      ...settings,
    });

  it('are each made and recorded once', async () => {
    await deploy('many', telling('new Response()'), { concurrency: 8 });
    await insertJobs(120);
    await allAre('succeeded', 120);
    const each = await records();
    expect(each).toHaveLength(120);
    expect(
      each.every(({ attempts, failures, succeeded }) => attempts === 1 && !failures && succeeded === 1),
    ).toBe(true);
    const { rows: told } = await server.project.database.query(
      'select from public.told group by id having count(*) = 1',
    );
    expect(told).toHaveLength(120);
  });

  it('are tried again by themselves where they fail, and the others are not', async () => {
    const answer = 'new Response(null, { status: ids[0] % 10 === 0 && attempt === 1 ? 500 : 200 })';
    await deploy('many', telling(answer), { concurrency: 4 });
    await insertJobs(40);
    await allAre('succeeded', 40);
    const each = await records();
    expect(each.filter(({ attempts, failures }) => attempts === 2 && failures === 1)).toHaveLength(4);
    expect(each.filter(({ attempts, failures }) => attempts === 1 && failures === 0)).toHaveLength(36);
    expect(each.every(({ succeeded }) => succeeded === 1)).toBe(true);
  });

  it('get jobs of their own where they do not come to their turn soon, for other workers to take', async () => {
    const door = await closedDoor();
    await deploy('slow', `Deno.serve(() => fetch('${door.url}'));`, {
      permissions: { hosts: [new URL(door.url).host] },
    });
    await insertJobs(8);
    // The first is being made; the job of the parcel is under way as long.
    await eventually(
      async () =>
        (await rows(`select from deliveries where state = 'queued' and parcel_id is null`)).length === 7,
    );
    const queue = server.get(JobQueue);
    await eventually(async () => (await queue.counts(queueNameOf('local', 'slow'))).waiting === 7);
    door.open();
    await allAre('succeeded', 8);
    expect((await records()).every(({ attempts, succeeded }) => attempts === 1 && succeeded === 1)).toBe(
      true,
    );
    await door.close();
  });

  it('are begun at the rate of their function', async () => {
    await deploy('many', telling('new Response()'), { rate: { count: 3, period_ms: 500 } });
    await insertJobs(7);
    await allAre('succeeded', 7);
    const begun = await rows<{ at: Date }>(
      'select started_at as at from invocations order by started_at desc limit 7',
    );
    expect(begun[0]!.at.getTime() - begun[6]!.at.getTime()).toBeGreaterThan(900);
  });
});

describe('a delivery in a parcel', () => {
  const parcelId = newId();
  let id: string;
  const begin = async (by: string | null) =>
    (
      await startDeliveries(server.platform.database, [
        { deliveryId: id, invocationId: newId(), parcelId: by },
      ])
    )[0];

  beforeEach(async () => {
    id = newId();
    await server.platform.database.query(
      `insert into deliveries (id, project_ref, subscription_id, function_slug, event_id, event_name, payload, request_id,
                               depth, occurred_at, parcel_id)
       values ($1, 'local', $2, 'nobody', $3, 'user.created', '{"record": {}}', 'r', 0, now(), $4)`,
      [id, newId(), newId(), parcelId],
    );
  });

  it('is taken over by who carries the parcel after a worker died, and by no other job', async () => {
    expect(await begin(parcelId)).toMatchObject({ attempt: 1 });
    expect(await begin(null)).toMatchObject({ reason: 'in a parcel' });
    expect(await begin(newId())).toBeUndefined();
    expect(await begin(parcelId)).toMatchObject({ attempt: 2 });
  });

  it('is open again for its own job when it leaves that a worker had begun which died', async () => {
    await begin(parcelId);
    const queue = server.get(JobQueue);
    const of = { projectRef: 'local', functionSlug: 'nobody' };
    await leaveParcel(server.platform.database, queue, of, { id: parcelId, deliveryIds: [id] }, 60_000);
    expect(await queue.has(queueNameOf('local', 'nobody'), id)).toBe(true);
    expect(await begin(null)).toMatchObject({ attempt: 2 });
    await queue.obliterate(queueNameOf('local', 'nobody'));
  });

  it('is not in it any more once its own job has begun it, or it has left', async () => {
    const started = (await begin(null)) as StartedDelivery;
    expect(started.attempt).toBe(1);
    expect(await begin(parcelId)).toBeUndefined();
    await server.platform.database.query(
      `update deliveries set state = 'queued', parcel_id = $2 where id = $1`,
      [id, parcelId],
    );
    const queue = server.get(JobQueue);
    const of = { projectRef: 'local', functionSlug: 'nobody' };
    await leaveParcel(server.platform.database, queue, of, { id: parcelId, deliveryIds: [id] }, 60_000);
    expect(await begin(parcelId)).toBeUndefined();
    expect(await queue.has(queueNameOf('local', 'nobody'), id)).toBe(true);
    await queue.obliterate(queueNameOf('local', 'nobody'));
  });
});
