import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { QueuePush, Relay } from '#libs/events';
import type { Project } from '#libs/platform';
import { slug, useRelays } from './use-relays.js';

describe('the relay', () => {
  const relays = useRelays();
  const { newRelay, deliveries } = relays;

  describe('that stands still until its lease has run out', () => {
    const subscribe = () =>
      relays.server.platform.database.query(
        `insert into subscriptions (id, project_ref, function_slug, event, filter)
         values ($1, 'local', $2, 'queue.message', '{"queue": "still"}')`,
        [randomUUID(), slug],
      );
    const unsubscribe = () =>
      relays.server.platform.database.query(`delete from subscriptions where event = 'queue.message'`);
    /** Another relay takes the events over while one has read its subscriptions and not yet gone on. */
    const takeOver = async (meanwhile: () => Promise<unknown>) => {
      let hasRead!: () => void;
      let goOn!: () => void;
      const reads = new Promise<void>((resolve) => (hasRead = resolve));
      const goesOn = new Promise<void>((resolve) => (goOn = resolve));
      const platform = new Proxy(relays.server.platform.database, {
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
      const still = new Relay(relays.server.project, platform, relays.queue, relays.server.platform.logger);
      const carried = still.runOnce();
      await reads;
      await meanwhile();
      await relays.server.project.database.query(
        "update galley.outbox set leased_until = now() - interval '1 second'",
      );
      await newRelay().runOnce();
      goOn();
      await carried;
      await still.stop();
    };
    const message = async () => {
      const { rows } = await relays.server.project.database.query<{ readable: boolean }>(
        'select vt <= clock_timestamp() as readable from pgmq.q_still',
      );
      return rows[0]!;
    };

    beforeAll(async () => {
      await relays.server.project.database.query(`select pgmq.create('still')`);
      await relays.server.project.database.query(`insert into galley.pushed_queues values ('still')`);
    });
    beforeEach(async () => {
      await relays.server.project.database.query(`select pgmq.purge_queue('still')`);
      await relays.server.project.database.query(`select galley.send('still', '1')`);
    });
    afterEach(unsubscribe);

    it('gives no message back that another relay has carried meanwhile', async () => {
      await takeOver(subscribe);
      expect(await deliveries()).toHaveLength(1);
      expect(await message()).toEqual({ readable: false });
    });

    it('is found by an index when its delivery has ended', async () => {
      const { rows } = await relays.server.project.database.query<{ indexdef: string }>(
        `select indexdef from pg_indexes where tablename = 'q_still' and indexdef like '%(pushed_as)%'`,
      );
      expect(rows).toHaveLength(1);
    });

    it('is not asked for again and again while a reader holds it', async () => {
      await subscribe();
      await relays.server.project.database.query(`update pgmq.q_still set pushed_as = null, vt = now()`);
      const push = new QueuePush(
        [relays.server.project],
        relays.server.platform.database,
        relays.server.platform.logger,
      );
      const waitMs = await relays.server.project.database.asSystem(async (tx) => {
        await tx.query('select from pgmq.q_still for update');
        return push.push(relays.server.project);
      });
      expect(waitMs).toBeGreaterThanOrEqual(50);
      expect(await push.push(relays.server.project)).toBe(30_000);
      expect(await message()).toEqual({ readable: false });
    });

    it('follows its delivery although those of another project cannot', async () => {
      const { database, logger } = relays.server.platform;
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
      const push = new QueuePush([away as unknown as Project, relays.server.project], database, logger);
      await expect(push.settle(away as unknown as Project)).rejects.toThrow('away');
      await push.settle(relays.server.project);
      const left = await database.query('select project_ref from queue_settlements');
      expect(left.rows).toEqual([{ project_ref: 'elsewhere' }]);
      expect((await relays.server.project.database.query('select from pgmq.q_still')).rowCount).toBe(0);
      await database.query(`delete from projects where ref = 'elsewhere'`);
    });

    it('carries no message that another relay has given back meanwhile', async () => {
      await subscribe();
      await takeOver(unsubscribe);
      expect(await message()).toEqual({ readable: true });
      expect(await deliveries()).toEqual([]);
    });
  });
});
