import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EventsHttpModule } from '#libs/events';
import { limits } from '#libs/platform';
import { WorkerModule } from '../../apps/worker/src/worker.module.js';
import { eventually } from '../support/eventually.js';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';

const tells = `Deno.serve(async (request) => {
  console.log(await request.text());
  return new Response('ok');
});`;
const fails = `Deno.serve(() => new Response('no', { status: 500 }));`;
const on = (queue: string) => [{ event: 'queue.message', queue }];

let server: FunctionsServer;
const sql = <Row extends object = Record<string, unknown>>(text: string, values: unknown[] = []) =>
  server.project.database.query<Row>(text, values).then(({ rows }) => rows);
const send = (queue: string, message: unknown, delaySeconds = 0) =>
  sql<{ id: number }>('select galley.send($1, $2, $3)::int as id', [
    queue,
    JSON.stringify(message),
    delaySeconds,
  ]);
const read = (queue: string) =>
  sql<{ message: unknown }>('select message from pgmq.read($1, 0, 100)', [queue]).then((rows) =>
    rows.map(({ message }) => message),
  );
const held = (queue: string) => sql(`select message from pgmq."q_${queue}"`).then(({ length }) => length);
const deliveriesTo = (slug: string) =>
  server.platform.database
    .query<{ id: string; state: string; last_error: string; depth: number }>(
      'select id, state, last_error, depth from deliveries where function_slug = $1 order by created_at',
      [slug],
    )
    .then(({ rows }) => rows);
async function linesOf(slug: string): Promise<Record<string, unknown>[]> {
  const { body } = await server.manage('GET', `/functions/${slug}/logs`);
  return (body as unknown as { message: string; source: string }[])
    .filter(({ message }) => message.startsWith('{'))
    .map(({ message }) => JSON.parse(message) as Record<string, unknown>);
}
const isSubscribed = (queue: string) =>
  eventually(
    async () => (await sql('select from galley.pushed_queues where queue_name = $1', [queue])).length === 1,
  );

beforeAll(async () => {
  server = await startFunctionsServer([EventsHttpModule, WorkerModule]);
  for (const queue of [
    'taken',
    'refused',
    'early',
    'late',
    'two',
    'loose',
    'round',
    'sent-on',
    'nested',
    'replayed',
    'poisoned',
  ])
    await sql('select pgmq.create($1)', [queue]);
});
afterAll(() => server.close());

describe('a message of a queue that a function subscribes to', () => {
  it('is carried to the function, and goes when it has taken it', async () => {
    await server.deploy('takes', tells, { on: on('taken') });
    await isSubscribed('taken');
    const rolledBack = server.project.database.asSystem(async (tx) => {
      await tx.query('select galley.send($1, $2)', ['taken', '"never"']);
      throw new Error('changed my mind');
    });
    await expect(rolledBack).rejects.toThrow('changed my mind');
    await server
      .client(server.keys.secretKey)
      .schema('pgmq_public')
      .rpc('send', { queue_name: 'taken', message: { order: 7 } });
    const [told] = await eventually(async () => {
      const lines = await linesOf('takes');
      return lines.length > 0 && lines;
    });
    expect(told).toEqual({
      type: 'QUEUE',
      queue: 'taken',
      msg_id: 2,
      enqueued_at: expect.any(String),
      message: { order: 7 },
    });
    await eventually(async () => (await held('taken')) === 0);
    expect(await deliveriesTo('takes')).toMatchObject([{ state: 'succeeded' }]);
  });

  it("is nobody else's to read meanwhile, is left to readers when it is dead, and goes when it is driven again", async () => {
    await server.deploy('refuses', fails, { on: on('refused'), attempts: 1 });
    await isSubscribed('refused');
    await server.project.database.asSystem(async (tx) => {
      await tx.query('select galley.send($1, $2)', ['refused', '"hot"']);
      expect((await tx.query('select * from pgmq.read($1, 0, 9)', ['refused'])).rows).toEqual([]);
    });
    await eventually(async () => (await read('refused')).length === 1);
    const [dead] = await deliveriesTo('refuses');
    expect(dead).toMatchObject({ state: 'dead' });
    // It is not carried again by itself, also when other messages are.
    await send('refused', 'hotter');
    await eventually(async () => (await read('refused')).length === 2);
    expect(await deliveriesTo('refuses')).toHaveLength(2);

    await server.deploy('refuses', tells, { on: on('refused'), attempts: 1 });
    await server.manage('POST', `/deliveries/${dead!.id}/redrive`);
    await eventually(async () => (await held('refused')) === 1);
    expect(await read('refused')).toEqual(['hotter']);
  });

  it('goes when a replay of its dead delivery is taken', async () => {
    await server.deploy('first-no', fails, { on: on('replayed'), attempts: 1 });
    await isSubscribed('replayed');
    await send('replayed', 'once more');
    await eventually(async () => (await read('replayed')).length === 1);
    const [dead] = await deliveriesTo('first-no');
    await server.deploy('first-no', tells, { on: on('replayed'), attempts: 1 });
    const { status } = await server.manage('POST', `/deliveries/${dead!.id}/replay`);
    expect(status).toBe(202);
    await eventually(async () => (await held('replayed')) === 0);
    const [, again] = await deliveriesTo('first-no');
    expect(again).toMatchObject({ state: 'succeeded' });
    expect(await linesOf('first-no')).toMatchObject([{ message: 'once more' }]);
    // Of a message that is gone the delivery knows enough.
    const third = await server.manage('POST', `/deliveries/${again!.id}/replay`);
    await eventually(async () => (await deliveriesTo('first-no'))[2]?.state === 'succeeded');
    expect(third.status).toBe(202);
  });

  it('is carried although somebody wrote nonsense into those before it', async () => {
    for (const message of ['deep', 'never', 'plain']) await send('poisoned', message);
    const write = (message: string, change: string) =>
      sql(`update pgmq.q_poisoned set ${change} where message = to_jsonb($1::text)`, [message]);
    await write('deep', `origin = '{"depth": "deep", "request_id": "r"}'`);
    await write('never', `vt = 'infinity'`);
    await server.deploy('bears', tells, { on: on('poisoned') });
    await eventually(async () => (await linesOf('bears')).length === 2);
    await send('poisoned', 'later', 1);
    await eventually(async () => (await linesOf('bears')).length === 3);
    await eventually(async () => (await held('poisoned')) === 1);
  });

  it('is carried although it was sent before the function was there', async () => {
    await send('early', 'bird');
    expect(await read('early')).toEqual(['bird']);
    await server.deploy('worm', tells, { on: on('early') });
    await eventually(async () => (await linesOf('worm')).length === 1);
    await eventually(async () => (await held('early')) === 0);
  });

  it('is carried when its time has come, and not before', async () => {
    await server.deploy('waits', tells, { on: on('late') });
    await isSubscribed('late');
    const sentAt = Date.now();
    await send('late', 'soon', 1);
    await send('late', 'much later', 3600);
    await eventually(async () => (await linesOf('waits')).length === 1);
    expect(Date.now() - sentAt).toBeGreaterThanOrEqual(1_000);
    expect(Date.now() - sentAt).toBeLessThan(5_000);
    await eventually(async () => (await held('late')) === 1);
    expect(await linesOf('waits')).toMatchObject([{ message: 'soon' }]);
  });

  it('goes when all of several functions have taken it', async () => {
    await server.deploy('one', tells, { on: on('two') });
    await server.deploy('other', fails, { on: on('two'), attempts: 1 });
    await isSubscribed('two');
    await send('two', 'both');
    await eventually(async () => (await read('two')).length === 1);
    expect(await deliveriesTo('one')).toMatchObject([{ state: 'succeeded' }]);
    const [dead] = await deliveriesTo('other');
    await server.deploy('other', tells, { on: on('two'), attempts: 1 });
    await server.manage('POST', `/deliveries/${dead!.id}/redrive`);
    await eventually(async () => (await held('two')) === 0);
  });

  it('is left to readers when the function has gone meanwhile', async () => {
    await server.deploy('leaves', tells, { on: on('loose') });
    await isSubscribed('loose');
    // As when it is sent in the moment in which the subscription goes.
    await server.platform.database.query(
      'alter table subscriptions disable trigger subscriptions_to_queue_removed',
    );
    await server.manage('DELETE', '/functions/leaves');
    await server.platform.database.query(
      'alter table subscriptions enable trigger subscriptions_to_queue_removed',
    );
    await send('loose', 'end');
    await eventually(async () => (await read('loose')).length === 1);
    expect(await deliveriesTo('leaves')).toEqual([]);
  });

  it('is left to readers when its event cannot be carried', async () => {
    await server.deploy('deep', tells, { on: on('nested') });
    await isSubscribed('nested');
    const nested = limits.eventNesting + 1;
    await sql('select galley.send($1, $2)', ['nested', '['.repeat(nested) + ']'.repeat(nested)]);
    await eventually(async () => (await read('nested')).length === 1);
    expect(await deliveriesTo('deep')).toMatchObject([{ state: 'dead' }]);
  });

  it('ends as a dead letter that names the loop when functions send round and round', async () => {
    const sends = `import { createClient } from 'npm:@supabase/supabase-js@2.109.0';
      Deno.serve(async (request) => {
        const token = request.headers.get('authorization').slice(7);
        const galley = createClient(Deno.env.get('SUPABASE_URL'), Deno.env.get('SUPABASE_ANON_KEY'), {
          accessToken: async () => token,
        });
        const { message } = await request.json();
        const queues = galley.schema('pgmq_public');
        const { error } = await queues.rpc('send', { queue_name: 'round', message: message + 1 });
        const forbidden = await queues.rpc('send', { queue_name: 'taken', message });
        if (error || !forbidden.error) throw new Error(JSON.stringify({ error, forbidden }));
        return new Response('ok');
      });`;
    await server.deploy('spins', sends, {
      on: on('round'),
      attempts: 1,
      permissions: { queues: { round: ['send'] } },
    });
    await isSubscribed('round');
    await send('round', 0);
    const dead = await eventually(
      async () => (await deliveriesTo('spins')).find(({ state }) => state === 'dead'),
      { within: 30_000 },
    );
    expect(dead).toMatchObject({
      depth: limits.eventDepth + 1,
      last_error: expect.stringContaining('Functions woke each other'),
    });
    const left = await eventually(async () => {
      const messages = await read('round');
      return messages.length > 0 && messages;
    });
    expect(left).toEqual([limits.eventDepth + 1]);
  });

  it('is read by a function that declared it, without a subscription', async () => {
    const reads = `import { createClient } from 'npm:@supabase/supabase-js@2.109.0';
      Deno.serve(async (request) => {
        const token = request.headers.get('x-galley-token');
        const galley = createClient(Deno.env.get('SUPABASE_URL'), Deno.env.get('SUPABASE_ANON_KEY'), {
          accessToken: async () => token,
        });
        const queues = galley.schema('pgmq_public');
        const queue_name = 'sent-on';
        const { data } = await queues.rpc('read', { queue_name, sleep_seconds: 30, n: 2 });
        const archived = await queues.rpc('archive', { queue_name, message_id: data[0].msg_id });
        const deleted = await queues.rpc('delete', { queue_name, message_id: data[1].msg_id });
        const sent = await queues.rpc('send', { queue_name, message: 'no' });
        return Response.json({
          read: data.map(({ message }) => message), archived: archived.data, deleted: deleted.data, sent: sent.error?.code,
        });
      });`;
    await server.deploy('reads', reads, { permissions: { queues: { 'sent-on': ['read'] } } });
    await send('sent-on', 1);
    await send('sent-on', 2);
    expect(await (await server.call('reads')).json()).toEqual({
      read: [1, 2],
      archived: true,
      deleted: true,
      sent: '42501',
    });
    const refused = await server.tryDeploy('reads', reads, { permissions: { queues: { absent: ['read'] } } });
    expect(refused).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('there is no table or view pgmq.q_absent') },
    });
  });

  it.each([
    [{ event: 'queue.message' }, /on\[0\]\.queue: expected the name of a queue/],
    [{ event: 'queue.message', queue: 'Big' }, /on\[0\]\.queue: expected the name of a queue: up to 47/],
    [{ event: 'queue.message', queue: 'absent' }, /there is no queue absent that could be subscribed to/],
    [{ event: 'user.created', queue: 'taken' }, /user\.created has no queue; expected no filter/],
    [{ event: 'schedule.fired' }, /on\[0\]\.event: expected one of user\.created/],
  ])('is not to be had by a subscription like %j', async (subscription, problem) => {
    const { status, body } = await server.tryDeploy('refused', tells, { on: [subscription] });
    expect([status, body['message']]).toEqual([400, expect.stringMatching(problem)]);
  });
});
