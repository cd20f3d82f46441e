import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import {
  appendEvent,
  endTries,
  endDeliveriesToNobody,
  EventsHttpModule,
  JobQueue,
  QueuePush,
  queueNameOf,
  Relay,
  startDeliveries,
  type EventPayload,
  type StartedDelivery,
} from '#libs/events';
import { limits, newId, type Project } from '#libs/platform';
import { eventually } from '../support/eventually.js';
import { startTestServer, type TestServer } from '../support/server.js';

const upload = (bucket: string): EventPayload<'object.created'> => ({
  bucket,
  name: 'a.jpg',
  version: 'v1',
  sizeBytes: 1,
  mimeType: 'image/jpeg',
  ownerId: null,
  record: {},
});

describe('the relay', () => {
  let server: TestServer;
  let queue: JobQueue;
  let slug: string;
  let subscriptionId: string;
  const relays: Relay[] = [];

  const newRelay = () => {
    const relay = new Relay(server.project, server.platform.database, queue, server.platform.logger);
    relays.push(relay);
    return relay;
  };
  const append = (bucket: string, depth = 0) =>
    server.project.database.asSystem((tx) =>
      appendEvent(tx, { name: 'object.created', payload: upload(bucket), requestId: 'trace-1', depth }),
    );
  const deliveries = async () => {
    const { rows } = await server.platform.database.query<{
      id: string;
      state: string;
      last_error: string;
      request_id: string;
    }>('select * from deliveries where function_slug = $1', [slug]);
    return rows;
  };
  const outboxSize = async () => (await server.project.database.query('select from galley.outbox')).rowCount;

  beforeAll(async () => {
    server = await startTestServer({ modules: [EventsHttpModule] });
    queue = server.get(JobQueue);
    slug = 'thumbnails';
    subscriptionId = randomUUID();
    await server.platform.database.query(
      'insert into subscriptions (id, project_ref, function_slug, event, filter) values ($1, $2, $3, $4, $5)',
      [subscriptionId, 'local', slug, 'object.created', { bucket: 'avatars' }],
    );
  });
  afterEach(async () => {
    await Promise.all(relays.splice(0).map((relay) => relay.stop()));
    await server.platform.database.query('delete from deliveries');
    await queue.obliterate(queueNameOf('local', slug));
  });
  afterAll(() => server.close());

  it('makes of a committed event one delivery and one job for each function that wants it', async () => {
    await append('avatars');
    await append('other');
    expect(await newRelay().runOnce()).toBe(2);
    expect(await deliveries()).toMatchObject([{ state: 'queued', request_id: 'trace-1' }]);
    expect((await queue.counts(queueNameOf('local', slug))).waiting).toBe(1);
    expect(await outboxSize()).toBe(0);
  });

  it('wakes by itself when a transaction commits, and only then', async () => {
    await newRelay().start();
    await server.project.database.asSystem(async (tx) => {
      await appendEvent(tx, { name: 'object.created', payload: upload('avatars'), requestId: '', depth: 0 });
      expect(await deliveries()).toEqual([]);
    });
    await eventually(async () => (await deliveries()).length === 1, { within: 1_500 });
  });

  it('sees nothing of a transaction that was rolled back', async () => {
    const rolledBack = server.project.database.asSystem(async (tx) => {
      await appendEvent(tx, { name: 'object.created', payload: upload('avatars'), requestId: '', depth: 0 });
      throw new Error('changed my mind');
    });
    await expect(rolledBack).rejects.toThrow('changed my mind');
    expect(await newRelay().runOnce()).toBe(0);
  });

  it('makes one delivery of an event that is relayed twice, because a relay died before it could say so', async () => {
    await append('avatars');
    const { rows } = await server.project.database.query('select * from galley.outbox');
    await newRelay().runOnce();
    const [row] = rows as [{ id: string; name: string; payload: unknown }];
    await server.project.database.query('insert into galley.outbox (id, name, payload) values ($1, $2, $3)', [
      row.id,
      row.name,
      row.payload,
    ]);
    await newRelay().runOnce();
    expect(await deliveries()).toHaveLength(1);
    expect((await queue.counts(queueNameOf('local', slug))).waiting).toBe(1);
  });

  it('takes over the events of a relay that died, when their lease has run out', async () => {
    await append('avatars');
    await server.project.database.query("update galley.outbox set leased_until = now() + interval '1 hour'");
    expect(await newRelay().runOnce()).toBe(0);
    await server.project.database.query(
      "update galley.outbox set leased_until = now() - interval '1 second'",
    );
    expect(await newRelay().runOnce()).toBe(1);
  });

  it('shares a backlog with other relays without carrying an event twice', async () => {
    for (let i = 0; i < 250; i++) await append('avatars');
    const carried = await Promise.all([newRelay().runOnce(), newRelay().runOnce(), newRelay().runOnce()]);
    expect(carried[0]! + carried[1]! + carried[2]!).toBe(250);
    expect(await deliveries()).toHaveLength(250);
    const { rows } = await server.platform.database.query(
      'select distinct coalesce(parcel_id, id) as job from deliveries',
    );
    expect(rows.length).toBeLessThan(50);
    expect((await queue.counts(queueNameOf('local', slug))).waiting).toBe(rows.length);
  });

  describe('that stands still until its lease has run out', () => {
    const subscribe = () =>
      server.platform.database.query(
        `insert into subscriptions (id, project_ref, function_slug, event, filter)
         values ($1, 'local', $2, 'queue.message', '{"queue": "still"}')`,
        [randomUUID(), slug],
      );
    const unsubscribe = () =>
      server.platform.database.query(`delete from subscriptions where event = 'queue.message'`);
    /** Another relay takes the events over while one has read its subscriptions and not yet gone on. */
    const takeOver = async (meanwhile: () => Promise<unknown>) => {
      let hasRead!: () => void;
      let goOn!: () => void;
      const reads = new Promise<void>((resolve) => (hasRead = resolve));
      const goesOn = new Promise<void>((resolve) => (goOn = resolve));
      const platform = new Proxy(server.platform.database, {
        get: (target, name) => {
          if (name !== 'query') return Reflect.get(target, name) as unknown;
          return async (text: string, values: unknown[]) => {
            const answer = await target.query(text, values);
            if (!text.includes('from subscriptions') || !text.includes('event = any')) return answer;
            hasRead();
            await goesOn;
            return answer;
          };
        },
      });
      const still = new Relay(server.project, platform, queue, server.platform.logger);
      const carried = still.runOnce();
      await reads;
      await meanwhile();
      await server.project.database.query(
        "update galley.outbox set leased_until = now() - interval '1 second'",
      );
      await newRelay().runOnce();
      goOn();
      await carried;
      await still.stop();
    };
    const message = async () => {
      const { rows } = await server.project.database.query<{ readable: boolean }>(
        'select vt <= clock_timestamp() as readable from pgmq.q_still',
      );
      return rows[0]!;
    };

    beforeAll(async () => {
      await server.project.database.query(`select pgmq.create('still')`);
      await server.project.database.query(`insert into galley.pushed_queues values ('still')`);
    });
    beforeEach(async () => {
      await server.project.database.query(`select pgmq.purge_queue('still')`);
      await server.project.database.query(`select galley.send('still', '1')`);
    });
    afterEach(unsubscribe);

    it('gives no message back that another relay has carried meanwhile', async () => {
      await takeOver(subscribe);
      expect(await deliveries()).toHaveLength(1);
      expect(await message()).toEqual({ readable: false });
    });

    it('is found by an index when its delivery has ended', async () => {
      const { rows } = await server.project.database.query<{ indexdef: string }>(
        `select indexdef from pg_indexes where tablename = 'q_still' and indexdef like '%(pushed_as)%'`,
      );
      expect(rows).toHaveLength(1);
    });

    it('is not asked for again and again while a reader holds it', async () => {
      await subscribe();
      await server.project.database.query(`update pgmq.q_still set pushed_as = null, vt = now()`);
      const push = new QueuePush([server.project], server.platform.database, server.platform.logger);
      const waitMs = await server.project.database.asSystem(async (tx) => {
        await tx.query('select from pgmq.q_still for update');
        return push.push(server.project);
      });
      expect(waitMs).toBeGreaterThanOrEqual(50);
      expect(await push.push(server.project)).toBe(30_000);
      expect(await message()).toEqual({ readable: false });
    });

    it('follows its delivery although those of another project cannot', async () => {
      const { database, logger } = server.platform;
      await database.query(
        `insert into projects select * from jsonb_populate_record(null::projects,
           (select to_jsonb(p) from projects p limit 1) || '{"ref": "elsewhere"}')`,
      );
      await subscribe();
      await newRelay().runOnce();
      await database.query(`update deliveries set state = 'succeeded'`);
      await database.query(`insert into queue_settlements (project_ref, event_id) values ('elsewhere', $1)`, [
        randomUUID(),
      ]);
      await database.query(
        `insert into deliveries (id, project_ref, subscription_id, function_slug, event_id, event_name, payload,
                                 request_id, depth, occurred_at)
         select gen_random_uuid(), 'elsewhere', gen_random_uuid(), $1, event_id, 'queue.message', '{"a": 1}', '', 0, now()
         from queue_settlements where project_ref = 'elsewhere'`,
        [slug],
      );
      const away = { ref: 'elsewhere', database: { query: () => Promise.reject(new Error('away')) } };
      const push = new QueuePush([away as unknown as Project, server.project], database, logger);
      await expect(push.settle(away as unknown as Project)).rejects.toThrow('away');
      await push.settle(server.project);
      const left = await database.query('select project_ref from queue_settlements');
      expect(left.rows).toEqual([{ project_ref: 'elsewhere' }]);
      expect((await server.project.database.query('select from pgmq.q_still')).rowCount).toBe(0);
      await database.query(`delete from projects where ref = 'elsewhere'`);
    });

    it('carries no message that another relay has given back meanwhile', async () => {
      await subscribe();
      await takeOver(unsubscribe);
      expect(await message()).toEqual({ readable: true });
      expect(await deliveries()).toEqual([]);
    });
  });

  it('refuses to go on with functions that wake each other for ever, and says which', async () => {
    await append('avatars', limits.eventDepth + 1);
    await newRelay().runOnce();
    const [dead] = await deliveries();
    expect(dead).toMatchObject({ state: 'dead' });
    expect(dead!.last_error).toContain(`up to thumbnails; the limit is ${limits.eventDepth}`);
    expect((await queue.counts(queueNameOf('local', slug))).waiting).toBe(0);
  });

  it('refuses an event that is too large when it is appended, with the change that it tells of', async () => {
    const huge = { ...upload('avatars'), record: { text: 'x'.repeat(limits.eventPayloadBytes) } };
    const appending = server.project.database.asSystem((tx) =>
      appendEvent(tx, { name: 'object.created', payload: huge, requestId: '', depth: 0 }),
    );
    await expect(appending).rejects.toMatchObject({ code: 'event_too_large', status: 413 });
    expect(await outboxSize()).toBe(0);
  });

  it('carries the events around one that cannot be carried, and keeps that as a dead letter', async () => {
    await append('avatars');
    const deep = '['.repeat(5000) + ']'.repeat(5000);
    await server.project.database.query(
      `insert into galley.outbox (id, name, payload)
       values (gen_random_uuid(), 'object.created', jsonb_build_object('bucket', 'avatars', 'record', $1::jsonb))`,
      [deep],
    );
    await append('avatars');
    await newRelay().runOnce();
    const states = (await deliveries()).map(({ state, last_error }) => [state, last_error]);
    expect(states.toSorted()).toEqual([
      ['dead', `The event's JSON is nested more than ${limits.eventNesting} deep.`],
      ['queued', null],
      ['queued', null],
    ]);
    expect(await outboxSize()).toBe(0);
  });

  it('carries on when PostgreSQL refuses one event of many, and keeps that as a dead letter', async () => {
    await server.platform.database.query(
      `alter table deliveries add constraint refuses check (payload ->> 'name' is distinct from 'refused')`,
    );
    try {
      await append('avatars');
      await server.project.database.query(
        `insert into galley.outbox (id, name, payload)
         values (gen_random_uuid(), 'object.created', '{"bucket": "avatars", "name": "refused"}')`,
      );
      await append('avatars');
      await newRelay().runOnce();
      const states = (await deliveries()).map(({ state, last_error }) => [state, last_error]);
      expect(states.toSorted()).toEqual([
        ['dead', expect.stringContaining('The event cannot be stored')],
        ['queued', null],
        ['queued', null],
      ]);
    } finally {
      await server.platform.database.query('alter table deliveries drop constraint refuses');
    }
  });

  describe('a delivery', () => {
    const begin = async (invocationId: string, deliveryId: string) =>
      (await startDeliveries(server.platform.database, [{ deliveryId, invocationId, parcelId: null }]))[0];
    const end = async (
      invocationId: string,
      deliveryId: string,
      state: 'succeeded' | 'dead' | 'queued',
      tried = true,
    ) => {
      const error = state === 'succeeded' ? null : 'no';
      const ended = { deliveryId, invocationId, state, error, tried, httpStatus: null, retryInMs: null };
      return (await endTries(server.platform.database, [ended]))[0];
    };
    let id: string;

    const newDelivery = async () => {
      await append('avatars');
      await newRelay().runOnce();
      id = (await deliveries())[0]!.id;
    };

    it('can be ended only by the try that holds it', async () => {
      await newDelivery();
      const [first, second] = [newId(), newId()];
      expect(await begin(first, id)).toMatchObject({ attempt: 1 });
      expect(await begin(second, id)).toMatchObject({ attempt: 2 });
      expect(await end(first, id, 'succeeded')).toBeUndefined();
      expect(await end(second, id, 'succeeded')).toEqual([]);
    });

    it('counts as a try only what was tried', async () => {
      await newDelivery();
      for (const attempt of [1, 1, 1]) {
        const invocation = newId();
        expect(await begin(invocation, id)).toMatchObject({ attempt });
        await end(invocation, id, 'queued', false);
      }
      const invocation = newId();
      await begin(invocation, id);
      await end(invocation, id, 'queued');
      expect(await begin(newId(), id)).toMatchObject({ attempt: 2 });
    });

    it('tells the record as it was written, with numbers that JavaScript cannot hold', async () => {
      const record = '{"id": 9007199254740993, "price": 0.12345678901234567890123, "far": 1e400}';
      await server.project.database.query(
        `insert into galley.outbox (id, name, payload)
         values (gen_random_uuid(), 'object.created', jsonb_build_object('bucket', 'avatars', 'record', $1::jsonb))`,
        [record],
      );
      await newRelay().runOnce();
      const [delivery] = await deliveries();
      const started = (await begin(newId(), delivery!.id)) as StartedDelivery;
      expect(started.payload.record).toContain('"id": 9007199254740993');
      expect(started.payload.record).toContain('0.12345678901234567890123');
      expect(started.payload.record).toMatch(/"far": 1(0{400}|e\+?400)/);
      expect(started.payload.oldRecord).toBeNull();
    });

    it('to a function that was deleted ends as a dead letter', async () => {
      await newDelivery();
      expect(await endDeliveriesToNobody(server.platform.database, 60_000)).toBe(0);
      expect(await endDeliveriesToNobody(server.platform.database, 0)).toBe(1);
      expect(await deliveries()).toMatchObject([
        { state: 'dead', last_error: 'The function was deleted or switched off' },
      ]);
    });

    it('is not begun again once it has ended', async () => {
      await newDelivery();
      const invocation = newId();
      await begin(invocation, id);
      await end(invocation, id, 'succeeded');
      expect(await begin(newId(), id)).toBeUndefined();
    });

    it('that is dead is listed for the owner of the secret key, and can be driven again', async () => {
      await newDelivery();
      const invocation = newId();
      await begin(invocation, id);
      await end(invocation, id, 'dead');
      const url = `${server.url}/v1/projects/local/deliveries`;
      const headers = { authorization: `Bearer ${server.keys.secretKey}` };
      const list = await (await fetch(`${url}?state=dead`, { headers })).json();
      expect(list).toMatchObject([
        { id, function: slug, event: 'object.created', last_error: 'no', attempts: 1 },
      ]);
      expect((await fetch(`${url}/${id}/redrive`, { method: 'POST', headers })).status).toBe(202);
      expect(await deliveries()).toMatchObject([{ state: 'queued' }]);
      expect((await fetch(`${url}/${id}/redrive`, { method: 'POST', headers })).status).toBe(404);
    });

    it('cannot be asked about with what PostgreSQL cannot hold', async () => {
      const headers = { authorization: `Bearer ${server.keys.secretKey}` };
      const response = await fetch(`${server.url}/v1/projects/local/deliveries?function=%00`, { headers });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        code: 'invalid_request',
        message: 'function: expected text without a zero byte',
      });
    });

    it('is shown to nobody else', async () => {
      for (const key of [server.keys.publishableKey, server.keys.anonKey]) {
        const headers = { authorization: `Bearer ${key}` };
        expect((await fetch(`${server.url}/v1/projects/local/deliveries`, { headers })).status).toBe(403);
      }
    });
  });
});
