import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { EventsHttpModule, startBatch } from '#libs/events';
import { newId } from '#libs/platform';
import { WorkerModule } from '../../apps/worker/src/worker.module.js';
import { startFunctionsServer, type FunctionsServer } from '../functions/functions-server.js';
import { eventually } from '../support/eventually.js';
import { telling, tellingPermissions as permissions, tellingTables } from './telling-function.js';

let server: FunctionsServer;
const inserted = { event: 'row.inserted', table: 'public.jobs' };
const well = telling('new Response()');
const badly = telling(`new Response('no such customer', { status: 500 })`);

interface Listed {
  id: string;
  state: string;
  payload: { record: { id: number } };
}
const listed = async () => {
  const { body } = await server.manage('GET', '/deliveries?function=worker');
  return (body as unknown as Listed[]).toSorted((a, b) => a.payload.record.id - b.payload.record.id);
};
const states = async () => (await listed()).map(({ state }) => state);
const allAre = (state: string, count: number) =>
  eventually(
    async () => {
      const all = await states();
      return all.length === count && all.every((one) => one === state);
    },
    { within: 30_000 },
  );
const told = async () => {
  const { rows } = await server.project.database.query<{ id: number }>(
    'select id from public.told order by position',
  );
  return rows.map(({ id }) => id);
};
const insert = (...ids: number[]) =>
  server.project.database.query(
    `insert into public.jobs (id, customer) select unnest($1::integer[]), 'ann'`,
    [ids],
  );
const post = (path: string, body?: unknown) => server.manage('POST', path, body);
const deploy = (source: string, on: Record<string, unknown> = {}, manifest = {}) =>
  server.deploy('worker', source, { permissions, attempts: 1, ...manifest, on: [{ ...inserted, ...on }] });

beforeAll(async () => {
  server = await startFunctionsServer([EventsHttpModule, WorkerModule]);
  await server.project.database.query(tellingTables);
});
beforeEach(async () => {
  await server.manage('DELETE', '/functions/worker');
  await server.platform.database.query('delete from deliveries');
  await server.project.database.query('truncate public.told, public.jobs; truncate galley.outbox');
});
afterAll(() => server.close());

describe("a function's events", () => {
  it('rest while they are paused, through deployments too, and go on when they are resumed', async () => {
    await deploy(well);
    const { body } = await post('/functions/worker/events/pause');
    expect(body).toEqual({ paused_at: expect.any(String) });
    await insert(1, 2);
    await allAre('queued', 2);
    await deploy(telling('new Response(null)'));
    expect((await server.manage('GET', '/functions/worker/events')).body).toMatchObject({
      paused_at: body['paused_at'],
      subscriptions: [{ event: 'row.inserted', filter: { table: 'public.jobs' }, paused_at: null }],
      deliveries: { queued: 2 },
    });
    expect(await told()).toEqual([]);
    expect((await post('/functions/worker/events/resume')).body).toEqual({ paused_at: null });
    await allAre('succeeded', 2);
  });

  it('of one subscription rest alone', async () => {
    await server.deploy('worker', well, {
      permissions,
      on: [inserted, { ...inserted, when: { id: 'gt.1' } }],
    });
    const { body } = await server.manage('GET', '/functions/worker/events');
    const { subscriptions } = body as unknown as {
      subscriptions: { id: string; filter: { when?: object } }[];
    };
    const { id } = subscriptions.find(({ filter }) => filter.when)!;
    await post('/functions/worker/events/pause', { subscription_id: id });
    await insert(1, 2);
    const resting = 'queued,succeeded,succeeded';
    await eventually(async () => (await states()).toSorted().join(',') === resting);
    expect(await told()).toHaveLength(2);
    await post('/functions/worker/events/resume', { subscription_id: id });
    await allAre('succeeded', 3);
  });

  it('that are dead are all tried again, or those that are meant', async () => {
    await deploy(badly);
    await insert(1, 2, 3);
    await allAre('dead', 3);
    await deploy(well);
    const redrive = async (filter: object) => (await post('/functions/worker/events/redrive', filter)).body;
    expect(await redrive({ error: 'another error' })).toEqual({ redriven: 0, remaining: 0 });
    expect(await redrive({ event: 'row.updated' })).toEqual({ redriven: 0, remaining: 0 });
    expect(await redrive({ until: '2001-01-01T00:00:00Z' })).toEqual({ redriven: 0, remaining: 0 });
    expect(await redrive({ error: 'no such customer' })).toEqual({ redriven: 3, remaining: 0 });
    await allAre('succeeded', 3);
  });

  it('are not those of a function that does not exist', async () => {
    for (const path of ['pause', 'resume'])
      expect((await post(`/functions/nobody/events/${path}`)).status).toBe(404);
    expect((await server.manage('GET', '/functions/nobody/events')).status).toBe(404);
    expect((await post('/functions/worker/events/redrive', { state: 'dead' })).status).toBe(400);
  });
});

describe('a delivery', () => {
  it('that waits is cancelled, and what waited behind it goes on', async () => {
    await deploy(
      telling('new Response(null, { status: ids[0] === 1 ? 503 : 200 })'),
      { ordering_key: 'customer', retry: { delays_ms: [3_600_000] } },
      { attempts: 5 },
    );
    await insert(1, 2);
    await eventually(async () => (await told()).length === 1 && (await states())[0] === 'queued');
    const [first, second] = await listed();
    expect((await post(`/deliveries/${first!.id}/cancel`)).body).toEqual({
      id: first!.id,
      state: 'cancelled',
    });
    await eventually(async () => (await states())[1] === 'succeeded');
    expect(await told()).toEqual([1, 2]);
    expect((await post(`/deliveries/${second!.id}/cancel`)).status).toBe(404);
  });

  it('that is dead tells each try: when, of which deployment, and what was answered', async () => {
    await deploy(badly, { retry: { delays_ms: [100] } }, { attempts: 2 });
    await insert(1);
    await allAre('dead', 1);
    const [{ id }] = (await listed()) as [Listed];
    const { body } = await server.manage('GET', `/deliveries/${id}`);
    const failed = {
      invocation_id: expect.any(String),
      status: 'failed',
      http_status: 500,
      error: 'The function answered 500: no such customer',
      deployment: 1,
      started_at: expect.any(String),
    };
    expect(body).toMatchObject({ id, state: 'dead', payload: { record: { id: 1 } } });
    expect(body['tries']).toMatchObject([
      { attempt: 1, ...failed },
      { attempt: 2, ...failed },
    ]);
  });

  it('is made once more for another deployment, or for the one that answers', async () => {
    await deploy(badly);
    await insert(1);
    await allAre('dead', 1);
    const [{ id }] = (await listed()) as [Listed];
    const form = new FormData();
    form.append(
      'metadata',
      JSON.stringify({ entrypoint_path: 'index.ts', galley: { permissions, attempts: 1 } }),
    );
    form.append('file', new Blob([well]), 'index.ts');
    await server.manage('POST', '/functions/deploy?slug=worker&activate=false', form);
    const replay = await post(`/deliveries/${id}/replay`, { deployment: 2 });
    expect(replay).toEqual({ status: 202, body: { id: expect.any(String), state: 'queued' } });
    const again = async (of: unknown) => (await server.manage('GET', `/deliveries/${of}`)).body;
    await eventually(async () => (await again(replay.body['id']))['state'] === 'succeeded');
    expect(await again(replay.body['id'])).toMatchObject({ deployment: 2, tries: [{ deployment: 2 }] });
    expect(await again(id)).toMatchObject({ state: 'dead' });
    const second = await post(`/deliveries/${id}/replay`);
    await eventually(async () => (await again(second.body['id']))['state'] === 'dead');
    expect((await post(`/deliveries/${id}/replay`, { deployment: 9 })).status).toBe(404);
    expect((await post(`/deliveries/${newId()}/replay`)).status).toBe(404);
  });
});

it('a batch whose worker died is taken over whole, by the job that began it', async () => {
  await deploy(well, { batch: { size: 3, window_ms: 600 } });
  // Recorded, and not given to the queue yet.
  await server.platform.database.query(
    `insert into deliveries (id, project_ref, subscription_id, function_slug, event_id, event_name, payload, request_id,
                             depth, occurred_at, batched)
     select gen_random_uuid(), 'local', s.id, 'worker', gen_random_uuid(), 'row.inserted',
            jsonb_build_object('schema', 'public', 'table', 'jobs', 'record', jsonb_build_object('id', n)), 'r', 0, now(), true
     from subscriptions s, generate_series(1, 3) n where s.function_slug = 'worker'`,
  );
  const deliveries = await listed();
  const begin = async (id: string) =>
    server.platform.database.transaction((tx) => startBatch(tx, id, newId()));
  // As a worker does that is killed right afterwards.
  expect(await begin(deliveries[1]!.id)).toHaveLength(3);
  expect(await begin(deliveries[0]!.id)).toMatchObject({ reason: 'batched' });
  expect(await states()).toEqual(['running', 'running', 'running']);
  await server.platform.database.query(`update deliveries set created_at = created_at - interval '1 minute'`);
  await allAre('succeeded', 3);
  expect((await told()).toSorted()).toEqual([1, 2, 3]);
}, 40_000);
