import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { endTries, EventsHttpModule, startDeliveries } from '#libs/events';
import { limits, newId } from '#libs/platform';
import { WorkerModule } from '../../apps/worker/src/worker.module.js';
import { startFunctionsServer, type FunctionsServer } from '../functions/functions-server.js';
import { eventually } from '../support/eventually.js';

let server: FunctionsServer;

/** Keeps the body of each event in `public.ends`. */
const keeping = `
Deno.serve(async (request) => {
  const answer = await fetch(Deno.env.get('SUPABASE_URL') + '/rest/v1/ends', {
    method: 'POST', body: JSON.stringify({ body: await request.json(), subject: request.headers.get('ce-subject') }),
    headers: { authorization: request.headers.get('authorization'), 'content-type': 'application/json' } });
  return new Response(await answer.text(), { status: answer.ok ? 200 : 500 });
});`;
const keeper = (on: object[]) => ({ permissions: { tables: { 'public.ends': ['insert'] } }, on });
const inserted = { event: 'row.inserted', table: 'public.jobs' };
const kept = async () => {
  const { rows } = await server.project.database.query<{ body: Record<string, unknown>; subject: string }>(
    'select body, subject from public.ends',
  );
  return rows;
};
const insert = (id: number) => server.project.database.query('insert into public.jobs values ($1)', [id]);
const deliveries = async () =>
  (
    await server.platform.database.query<{ function_slug: string; state: string; id: string; depth: number }>(
      'select function_slug, state, id, depth from deliveries order by sequence',
    )
  ).rows;

/** How a try ends that was answered 204. */
const success = (deliveryId: string, invocationId: string) => ({
  deliveryId,
  invocationId,
  state: 'succeeded' as const,
  error: null,
  tried: true,
  httpStatus: 204,
  retryInMs: null,
});

beforeAll(async () => {
  server = await startFunctionsServer([EventsHttpModule, WorkerModule]);
  await server.project.database.query(
    `create table public.jobs (id integer); create table public.ends (body jsonb, subject text); notify galley_schema;`,
  );
});
beforeEach(async () => {
  for (const slug of ['worker', 'keeper', 'other']) await server.manage('DELETE', `/functions/${slug}`);
  await server.platform.database.query('delete from deliveries');
  await server.project.database.query('truncate public.ends, public.jobs, galley.outbox');
});
afterAll(() => server.close());

describe('what became of a delivery', () => {
  it('is told to the function that subscribes to the success of another, with what it was woken by', async () => {
    await server.deploy('worker', 'Deno.serve(() => new Response());', { on: [inserted] });
    await server.deploy('keeper', keeping, keeper([{ event: 'function.succeeded', function: 'worker' }]));
    await insert(1);
    const [end] = await eventually(async () => {
      const all = await kept();
      return all.length > 0 && all;
    });
    expect(end).toMatchObject({
      subject: 'worker',
      body: {
        type: 'function.succeeded',
        function: 'worker',
        event: 'row.inserted',
        attempts: 1,
        http_status: 200,
        error: null,
        invocation_id: expect.any(String),
        request: { schema: 'public', table: 'jobs', record: { id: 1 } },
      },
    });
    // Neither its own success, nor anybody's failure.
    await eventually(async () => (await deliveries()).every(({ state }) => state === 'succeeded'));
    expect((await deliveries()).map(({ function_slug: slug, depth }) => [slug, depth])).toEqual([
      ['worker', 0],
      ['keeper', 1],
    ]);
  });

  it('is told of a failure once it is dead, with the error and the answer', async () => {
    await server.deploy('worker', `Deno.serve(() => new Response('not today', { status: 500 }));`, {
      on: [{ ...inserted, attempts: 2, retry: { delays_ms: [100] } }],
    });
    await server.deploy('keeper', keeping, keeper([{ event: 'function.failed' }]));
    await insert(1);
    const [end] = await eventually(async () => {
      const all = await kept();
      return all.length > 0 && all;
    });
    expect(end!.body).toMatchObject({
      type: 'function.failed',
      attempts: 2,
      http_status: 500,
      error: 'The function answered 500: not today',
    });
    expect(await kept()).toHaveLength(1);
  });

  it('is told of each delivery of a batch', async () => {
    await server.deploy(
      'worker',
      `Deno.serve(async (request) => Response.json({ batchItemFailures: (await request.json())
         .filter((event) => event.data.record.id === 2).map(({ id }) => ({ itemIdentifier: id })) }));`,
      { on: [{ ...inserted, attempts: 1, batch: { size: 2, window_ms: 5000 } }] },
    );
    await server.deploy(
      'keeper',
      keeping,
      keeper([
        { event: 'function.failed', function: 'worker' },
        { event: 'function.succeeded', function: 'worker' },
      ]),
    );
    await insert(1);
    await insert(2);
    const ends = await eventually(async () => {
      const all = await kept();
      return all.length === 2 && all;
    });
    const told = ends.map(({ body }) => [
      (body['request'] as { record: { id: number } }).record.id,
      body['type'],
    ]);
    expect(told.toSorted()).toEqual([
      [1, 'function.succeeded'],
      [2, 'function.failed'],
    ]);
  });

  it('does not go on for ever when a function subscribes to its own', async () => {
    await server.deploy('worker', 'Deno.serve(() => new Response());', {
      on: [inserted, { event: 'function.succeeded', function: 'worker' }],
    });
    await insert(1);
    await eventually(async () => (await deliveries()).some(({ state }) => state === 'dead'), {
      within: 30_000,
    });
    expect((await deliveries()).filter(({ state }) => state === 'succeeded')).toHaveLength(17);
  });

  it('is told no further than the budget of its chain goes, also where many end at once', async () => {
    await server.deploy('keeper', keeping, keeper([{ event: 'function.succeeded', function: 'worker' }]));
    const { database } = server.platform;
    const insertChain = (count: number, state: string, by: string | null) =>
      database.query<{ id: string }>(
        `insert into deliveries (id, project_ref, subscription_id, function_slug, event_id, event_name, payload, request_id,
                                 root_id, depth, occurred_at, state, invocation_id)
         select gen_random_uuid(), 'local', gen_random_uuid(), 'worker', gen_random_uuid(), 'user.created', '{}', 'r',
                'chain', 1, now(), $2, $3 from generate_series(1, $1) returning id`,
        [count, state, by],
      );
    const invocationId = newId();
    await insertChain(limits.chainDeliveries - 5, 'succeeded', null);
    const { rows: running } = await insertChain(3, 'running', invocationId);
    const following = await endTries(
      database,
      running.map(({ id }) => success(id, invocationId)),
    );
    // Two more are left of it.
    expect(following.map((own) => own!.length).toSorted()).toEqual([0, 1, 1]);
    const { rows: refused } = await database.query<{ error: string }>(
      `select last_error as error from deliveries where state = 'dead'`,
    );
    expect(refused).toEqual([
      { error: expect.stringContaining(`has led to ${limits.chainDeliveries} deliveries within 10 minutes`) },
    ]);
  });

  it('is committed with its end: who ends it may die before the job is added', async () => {
    await server.deploy('keeper', keeping, keeper([{ event: 'function.succeeded', function: 'worker' }]));
    const [id, invocationId] = [newId(), newId()];
    await server.platform.database.query(
      `insert into deliveries (id, project_ref, subscription_id, function_slug, event_id, event_name, payload, request_id,
                               depth, occurred_at)
       values ($1, 'local', $2, 'worker', $3, 'user.created', '{"record": {}}', 'r', 0, now())`,
      [id, newId(), newId()],
    );
    await startDeliveries(server.platform.database, [{ deliveryId: id, invocationId, parcelId: null }]);
    const [following] = await endTries(server.platform.database, [success(id, invocationId)]);
    expect(following).toMatchObject([{ functionSlug: 'keeper' }]);
    // What waited for long is made sure of having a job.
    await server.platform.database.query(`update deliveries set created_at = now() - interval '1 minute'`);
    await eventually(async () => (await kept()).length === 1, { within: 30_000 });
  }, 40_000);
});

it.each([
  [{ event: 'function.failed', bucket: 'a' }, /function\.failed has no bucket; expected function/],
  [{ event: 'row.inserted', table: 'public.jobs', function: 'x' }, /row\.inserted has no function/],
  [
    { event: 'function.failed', function: 'no such name' },
    /on\[0\]\.function: expected the name of a function/,
  ],
])('%j is refused', async (on, message) => {
  const { status, body } = await server.tryDeploy('wrong', 'Deno.serve(() => new Response());', { on: [on] });
  expect([status, body['message']]).toEqual([400, expect.stringMatching(message)]);
});
