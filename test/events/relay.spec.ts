import { describe, expect, it } from '@jest/globals';
import { appendEvent, queueNameOf } from '#libs/events';
import { limits } from '#libs/platform';
import { eventually } from '../support/eventually.js';
import { slug, upload, useRelays } from './use-relays.js';

describe('the relay', () => {
  const relays = useRelays();
  const { newRelay, append, deliveries, outboxSize } = relays;

  it('makes of a committed event one delivery and one job for each function that wants it', async () => {
    await append('avatars');
    await append('other');
    expect(await newRelay().runOnce()).toBe(2);
    expect(await deliveries()).toMatchObject([{ state: 'queued', request_id: 'trace-1' }]);
    expect((await relays.queue.counts(queueNameOf('local', slug))).waiting).toBe(1);
    expect(await outboxSize()).toBe(0);
  });

  it('wakes by itself when a transaction commits, and only then', async () => {
    await newRelay().start();
    await relays.server.project.database.asSystem(async (tx) => {
      await appendEvent(tx, { name: 'object.created', payload: upload('avatars'), requestId: '', depth: 0 });
      expect(await deliveries()).toEqual([]);
    });
    await eventually(async () => (await deliveries()).length === 1, { within: 1_500 });
  });

  it('sees nothing of a transaction that was rolled back', async () => {
    const rolledBack = relays.server.project.database.asSystem(async (tx) => {
      await appendEvent(tx, { name: 'object.created', payload: upload('avatars'), requestId: '', depth: 0 });
      throw new Error('changed my mind');
    });
    await expect(rolledBack).rejects.toThrow('changed my mind');
    expect(await newRelay().runOnce()).toBe(0);
  });

  it('makes one delivery of an event that is relayed twice, because a relay died before it could say so', async () => {
    await append('avatars');
    const { rows } = await relays.server.project.database.query('select * from galley.outbox');
    await newRelay().runOnce();
    const [row] = rows as [{ id: string; name: string; payload: unknown }];
    await relays.server.project.database.query(
      'insert into galley.outbox (id, name, payload) values ($1, $2, $3)',
      [row.id, row.name, row.payload],
    );
    await newRelay().runOnce();
    expect(await deliveries()).toHaveLength(1);
    expect((await relays.queue.counts(queueNameOf('local', slug))).waiting).toBe(1);
  });

  it('takes over the events of a relay that died, when their lease has run out', async () => {
    await append('avatars');
    await relays.server.project.database.query(
      "update galley.outbox set leased_until = now() + interval '1 hour'",
    );
    expect(await newRelay().runOnce()).toBe(0);
    await relays.server.project.database.query(
      "update galley.outbox set leased_until = now() - interval '1 second'",
    );
    expect(await newRelay().runOnce()).toBe(1);
  });

  it('shares a backlog with other relays without carrying an event twice', async () => {
    for (let i = 0; i < 250; i++) await append('avatars');
    const carried = await Promise.all([newRelay().runOnce(), newRelay().runOnce(), newRelay().runOnce()]);
    expect(carried[0]! + carried[1]! + carried[2]!).toBe(250);
    expect(await deliveries()).toHaveLength(250);
    const { rows } = await relays.server.platform.database.query(
      'select distinct coalesce(parcel_id, id) as job from deliveries',
    );
    expect(rows.length).toBeLessThan(50);
    expect((await relays.queue.counts(queueNameOf('local', slug))).waiting).toBe(rows.length);
  });

  it('refuses to go on with functions that wake each other for ever, and says which', async () => {
    await append('avatars', limits.eventDepth + 1);
    await newRelay().runOnce();
    const [dead] = await deliveries();
    expect(dead).toMatchObject({ state: 'dead' });
    expect(dead!.last_error).toContain(`up to thumbnails; the limit is ${limits.eventDepth}`);
    expect((await relays.queue.counts(queueNameOf('local', slug))).waiting).toBe(0);
  });

  it('refuses an event that is too large when it is appended, with the change that it tells of', async () => {
    const huge = { ...upload('avatars'), record: { text: 'x'.repeat(limits.eventPayloadBytes) } };
    const appending = relays.server.project.database.asSystem((tx) =>
      appendEvent(tx, { name: 'object.created', payload: huge, requestId: '', depth: 0 }),
    );
    await expect(appending).rejects.toMatchObject({ code: 'event_too_large', status: 413 });
    expect(await outboxSize()).toBe(0);
  });

  it('carries the events around one that cannot be carried, and keeps that as a dead letter', async () => {
    await append('avatars');
    const deep = '['.repeat(5000) + ']'.repeat(5000);
    await relays.server.project.database.query(
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
    await relays.server.platform.database.query(
      `alter table deliveries add constraint refuses check (payload ->> 'name' is distinct from 'refused')`,
    );
    try {
      await append('avatars');
      await relays.server.project.database.query(
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
      await relays.server.platform.database.query('alter table deliveries drop constraint refuses');
    }
  });
});
