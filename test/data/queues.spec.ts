import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { SupabaseClient } from '@supabase/supabase-js';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DataModule } from '#libs/data';
import { newId, repositoryRoot } from '#libs/platform';
import { startTestServer, type TestServer } from '../support/server.js';

let server: TestServer;
let queues: ReturnType<SupabaseClient['schema']>;
let queue: string;
let count = 0;

const sql = <Row extends object = Record<string, unknown>>(text: string, values: unknown[] = []) =>
  server.project.database.query<Row>(text, values).then(({ rows }) => rows);
const queuesAs = (key: string) => server.client(key).schema('pgmq_public');
const personToken = () => server.project.tokens.sign({ role: 'authenticated', sub: newId() }, 60);
const message = (id: number, content: unknown, readCount = 1) => ({
  msg_id: id,
  read_ct: readCount,
  enqueued_at: expect.stringMatching(/^20\d\d-/),
  vt: expect.stringMatching(/^20\d\d-/),
  message: content,
});

beforeAll(async () => {
  server = await startTestServer({ modules: [DataModule] });
  queues = queuesAs(server.keys.secretKey);
});
afterAll(() => server.close());
beforeEach(async () => {
  queue = `orders-${++count}`;
  await sql('select pgmq.create($1)', [queue]);
});

describe('a queue, as supabase-js uses it', () => {
  it('gives the messages that were sent to it, in their order, each to one reader at a time', async () => {
    const sent = await queues.rpc('send', { queue_name: queue, message: { n: 1 }, sleep_seconds: 0 });
    expect(sent).toMatchObject({ error: null, data: [1] });
    const batch = { queue_name: queue, messages: [{ n: 2 }, 'three'], sleep_seconds: 0 };
    expect((await queues.rpc('send_batch', batch)).data).toEqual([2, 3]);

    const read = await queues.rpc('read', { queue_name: queue, sleep_seconds: 30, n: 2 });
    expect(read.error).toBeNull();
    expect(read.data).toEqual([message(1, { n: 1 }), message(2, { n: 2 })]);
    expect((await queues.rpc('read', { queue_name: queue, sleep_seconds: 30, n: 5 })).data).toEqual([
      message(3, 'three'),
    ]);
    expect((await queues.rpc('read', { queue_name: queue, sleep_seconds: 30, n: 5 })).data).toEqual([]);
  });

  it('gives a message again when its reader has not deleted it in time', async () => {
    await queues.rpc('send', { queue_name: queue, message: {} });
    await queues.rpc('read', { queue_name: queue, sleep_seconds: 0, n: 1 });
    expect((await queues.rpc('read', { queue_name: queue, sleep_seconds: 0, n: 1 })).data).toEqual([
      message(1, {}, 2),
    ]);
  });

  it('keeps a message back for as long as its sender said', async () => {
    await queues.rpc('send', { queue_name: queue, message: {}, sleep_seconds: 60 });
    expect((await queues.rpc('pop', { queue_name: queue })).data).toEqual([]);
    await sql(`update pgmq.%s set vt = now()`.replace('%s', `"q_${queue}"`));
    expect((await queues.rpc('pop', { queue_name: queue })).data).toEqual([message(1, {}, 0)]);
    expect(await sql(`select from pgmq."q_${queue}"`)).toEqual([]);
  });

  it('archives and deletes a message, and says whether there was one', async () => {
    await queues.rpc('send_batch', { queue_name: queue, messages: [1, 2] });
    expect((await queues.rpc('archive', { queue_name: queue, message_id: 1 })).data).toBe(true);
    expect((await queues.rpc('archive', { queue_name: queue, message_id: 1 })).data).toBe(false);
    expect((await queues.rpc('delete', { queue_name: queue, message_id: 2 })).data).toBe(true);
    expect((await queues.rpc('delete', { queue_name: queue, message_id: 2 })).data).toBe(false);
    expect(await sql(`select msg_id::int, message from pgmq."a_${queue}"`)).toEqual([
      { msg_id: 1, message: 1 },
    ]);
  });

  it('is read by many at once, and nobody gets what another has', async () => {
    await queues.rpc('send_batch', { queue_name: queue, messages: Array.from({ length: 60 }, (_, i) => i) });
    const reads = await Promise.all(
      Array.from({ length: 12 }, () => queues.rpc('read', { queue_name: queue, sleep_seconds: 60, n: 5 })),
    );
    const ids = reads.flatMap(({ data }) => (data as { msg_id: number }[]).map((one) => one.msg_id));
    expect(new Set(ids).size).toBe(ids.length);
    const rest = await queues.rpc('read', { queue_name: queue, sleep_seconds: 60, n: 60 });
    expect(ids.length + (rest.data as unknown[]).length).toBe(60);
  });

  it.each([
    [
      'send',
      { queue_name: 'no such; queue', message: {} },
      400,
      /"no such; queue" is not the name of a queue/,
    ],
    ['send', { queue_name: 'x'.repeat(48), message: {} }, 400, /is not the name of a queue/],
    ['send', { queue_name: 'absent', message: {} }, 404, /relation "pgmq.q_absent" does not exist/],
    ['send', { queue_name: 'orders-1', message: {}, sleep_seconds: -1 }, 400, /The delay must be from 0 to/],
    [
      'send',
      { queue_name: 'orders-1', message: 'x'.repeat(300_000) },
      413,
      /A message may have 262144 bytes/,
    ],
    ['send_batch', { queue_name: 'orders-1', messages: Array(1001).fill(0) }, 413, /A batch may have 1000/],
    ['read', { queue_name: 'orders-1', sleep_seconds: 1, n: 1001 }, 400, /must be from 1 to 1000/],
  ])('refuses %s of %j', async (call, input, status, problem) => {
    const refused = await queues.rpc(call, input);
    expect([refused.status, refused.error?.message]).toEqual([status, expect.stringMatching(problem)]);
  });
});

describe('the rights on a queue', () => {
  it("are the secret key's alone, until the owner grants them", async () => {
    for (const key of [server.keys.publishableKey, personToken()]) {
      for (const [call, input] of [
        ['send', { queue_name: queue, message: {} }],
        ['read', { queue_name: queue, sleep_seconds: 0, n: 1 }],
        ['pop', { queue_name: queue }],
      ] as const) {
        const { error } = await queuesAs(key).rpc(call, input);
        expect(error).toMatchObject({ code: '42501' });
      }
    }
  });

  it('are those on its table, row by row', async () => {
    await sql(`grant select, insert, update, delete on pgmq."q_${queue}" to authenticated`);
    const ann = queuesAs(personToken());
    expect((await ann.rpc('send', { queue_name: queue, message: { for: 'ann' } })).error).toMatchObject({
      code: '42501',
    });
    await sql(`create policy own on pgmq."q_${queue}" to authenticated using (message ->> 'for' = 'ann')`);
    expect((await ann.rpc('send', { queue_name: queue, message: { for: 'ann' } })).error).toBeNull();
    expect((await ann.rpc('send', { queue_name: queue, message: { for: 'bob' } })).error).not.toBeNull();
    await queues.rpc('send', { queue_name: queue, message: { for: 'bob' } });
    const { data } = await ann.rpc('read', { queue_name: queue, sleep_seconds: 0, n: 10 });
    expect(data).toHaveLength(1);
  });

  it('let nobody but the owner make or drop one, nor see which there are', async () => {
    const tried = (statement: string) =>
      server.project.database.asSystem((tx) =>
        tx.asCaller(
          { kind: 'user', role: 'authenticated', userId: newId(), claims: {}, depth: 0 } as never,
          {},
          (own) => own.query(statement),
        ),
      );
    for (const statement of [
      `select pgmq.create('mine')`,
      `select pgmq.drop_queue('${queue}')`,
      `select pgmq.list_queues()`,
      `select galley.send('${queue}', '{}')`,
      `select galley.push_due_messages(1)`,
    ])
      await expect(tried(statement)).rejects.toMatchObject({ code: '42501' });
  });
});

describe('queues in SQL', () => {
  it('take part in the transaction that sends', async () => {
    const rolledBack = server.project.database.asSystem(async (tx) => {
      await tx.query('select galley.send($1, $2)', [queue, '{"n": 1}']);
      throw new Error('changed my mind');
    });
    await expect(rolledBack).rejects.toThrow('changed my mind');
    expect(await sql('select galley.send($1, $2, 5)::int as id', [queue, '{"n": 2}'])).toEqual([{ id: 2 }]);
    expect(await sql(`select message, vt - enqueued_at > '4 s' as late from pgmq."q_${queue}"`)).toEqual([
      { message: { n: 2 }, late: true },
    ]);
  });

  it('are carried to functions in turn, however much waits in one of them', async () => {
    const last = `z-${queue}`;
    await sql('select pgmq.create($1)', [last]);
    await sql(`select pgmq.send_batch($1, array(select to_jsonb(n) from generate_series(1, 500) n))`, [
      queue,
    ]);
    await sql('select galley.send($1, $2)', [last, '1']);
    await sql('insert into galley.pushed_queues values ($1), ($2)', [queue, last]);
    const [pushed] = await sql(
      `select sum((p.step).pushed)::int as pushed
       from (select galley.push_due_messages(10) as step from generate_series(1, 40) offset 0) p`,
    );
    expect(pushed).toEqual({ pushed: 400 });
    const [carried] = await sql(
      `select (select count(*) from pgmq."q_${last}" where pushed_as is not null)::int as last,
              (select count(*) from pgmq."q_${queue}" where pushed_as is not null)::int as others`,
    );
    expect(carried).toEqual({ last: 1, others: 399 });
  });

  it('tell what they hold, are emptied, and dropped', async () => {
    await sql('select pgmq.send_batch($1, $2)', [queue, ['1', '2', '3']]);
    await sql('select pgmq.pop($1)', [queue]);
    await sql('select pgmq.read($1, 60, 1)', [queue]);
    const expected = { queue_name: queue, queue_length: '2', total_messages: '3', queue_visible_length: '1' };
    expect(await sql('select * from pgmq.metrics($1)', [queue])).toMatchObject([expected]);
    expect(await sql('select * from pgmq.metrics_all()')).toContainEqual(expect.objectContaining(expected));
    expect(await sql('select * from pgmq.list_queues()')).toContainEqual(
      expect.objectContaining({ queue_name: queue, is_partitioned: false, is_unlogged: false }),
    );
    await sql('select pgmq.create($1)', [queue.toUpperCase()]); // Is there already.
    expect(await sql('select pgmq.purge_queue($1)::int as n', [queue])).toEqual([{ n: 2 }]);
    expect(await sql('select pgmq.drop_queue($1) as dropped', [queue])).toEqual([{ dropped: true }]);
    expect(await sql('select pgmq.drop_queue($1) as dropped', [queue])).toEqual([{ dropped: false }]);
  });

  it('archive and delete several messages, and change when one is visible', async () => {
    await sql('select pgmq.send_batch($1, $2)', [queue, ['1', '2', '3', '4']]);
    expect(await sql('select pgmq.archive($1, array[1, 2, 9]::bigint[])::int as id', [queue])).toEqual([
      { id: 1 },
      { id: 2 },
    ]);
    expect(await sql('select pgmq.delete($1, array[3, 9]::bigint[])::int as id', [queue])).toEqual([
      { id: 3 },
    ]);
    await sql('select pgmq.set_vt($1, 4, 60)', [queue]);
    expect(await sql('select pgmq.pop($1)', [queue])).toEqual([]);
  });
});

describe('where the extension pgmq is', () => {
  it('its queues are used, and nothing of it is replaced', async () => {
    const migration = await readFile(join(repositoryRoot, 'prisma', 'project', '0007_queues.sql'), 'utf8');
    const undone = server.project.database.asSystem(async (tx) => {
      // As a database is found that had the extension before it was Galley's.
      await tx.query(`
        drop schema pgmq, pgmq_public cascade;
        drop table galley.pushed_queues;
        drop function galley.push_message, galley.append_message, galley.push_due_messages, galley.settle_messages,
          galley.send;
        create schema pgmq;
        create type pgmq.message_record as (msg_id bigint, headers jsonb);
        create function pgmq.send(queue_name text, msg jsonb, delay integer) returns setof bigint
          language sql as 'select 42::bigint';`);
      await tx.query(migration);
      const { rows } = await tx.query(
        `select galley.send('any', '{}'), (select * from pgmq_public.send('any', '{}')) as by_api,
                to_regproc('pgmq.create') as made`,
      );
      expect(rows).toEqual([{ send: '42', by_api: '42', made: null }]);
      throw new Error('enough seen');
    });
    await expect(undone).rejects.toThrow('enough seen');
  });
});
