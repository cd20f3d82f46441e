import { describe, expect, it } from '@jest/globals';
import { endDeliveriesToNobody, endTries, startDeliveries, type StartedDelivery } from '#libs/events';
import { newId } from '#libs/platform';
import { slug, useRelays } from './use-relays.js';

describe('the relay', () => {
  const relays = useRelays();
  const { newRelay, append, deliveries } = relays;

  describe('a delivery', () => {
    const begin = async (invocationId: string, deliveryId: string) =>
      (
        await startDeliveries(relays.server.platform.database, [{ deliveryId, invocationId, parcelId: null }])
      )[0];
    const end = async (
      invocationId: string,
      deliveryId: string,
      state: 'succeeded' | 'dead' | 'queued',
      tried = true,
    ) => {
      const error = state === 'succeeded' ? null : 'no';
      const ended = { deliveryId, invocationId, state, error, tried, httpStatus: null, retryInMs: null };
      return (await endTries(relays.server.platform.database, [ended]))[0];
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

    it('that is driven again waits for one of its order that has begun meanwhile, and that one for nobody', async () => {
      const { database } = relays.server.platform;
      for (let i = 0; i < 3; i += 1) await append('avatars');
      await newRelay().runOnce();
      await database.query(`update deliveries set ordering_key = 'a'`);
      const { rows } = await database.query<{ id: string }>('select id from deliveries order by sequence');
      const [first, second, third] = rows.map((row) => row.id) as [string, string, string];
      const tries = Array.from({ length: 5 }, newId) as [string, string, string, string, string];
      await begin(tries[0], first);
      await end(tries[0], first, 'dead');
      expect(await begin(tries[1], second)).toMatchObject({ id: second });
      const { url, keys } = relays.server;
      const answer = await fetch(`${url}/v1/projects/local/deliveries/${first}/redrive`, {
        method: 'POST',
        headers: { apikey: keys.secretKey },
      });
      expect(answer.status).toBe(202);
      expect(await begin(newId(), first)).toEqual({ reason: 'behind others', waitMs: 2_000 });
      expect(await begin(newId(), third)).toEqual({ reason: 'behind others', waitMs: 4_000 });
      // Its worker has died.
      expect(await begin(tries[2], second)).toMatchObject({ id: second, attempt: 2 });
      await end(tries[2], second, 'succeeded');
      expect(await begin(newId(), third)).toEqual({ reason: 'behind others', waitMs: 2_000 });
      expect(await begin(tries[3], first)).toMatchObject({ id: first });
      await end(tries[3], first, 'succeeded');
      expect(await begin(tries[4], third)).toMatchObject({ id: third });
    });

    it('tells the record as it was written, with numbers that JavaScript cannot hold', async () => {
      const record = '{"id": 9007199254740993, "price": 0.12345678901234567890123, "far": 1e400}';
      await relays.server.project.database.query(
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
      expect(await endDeliveriesToNobody(relays.server.platform.database, 60_000)).toBe(0);
      expect(await endDeliveriesToNobody(relays.server.platform.database, 0)).toBe(1);
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
      const url = `${relays.server.url}/v1/projects/local/deliveries`;
      const headers = { authorization: `Bearer ${relays.server.keys.secretKey}` };
      const list = await (await fetch(`${url}?state=dead`, { headers })).json();
      expect(list).toMatchObject([
        { id, function: slug, event: 'object.created', last_error: 'no', attempts: 1 },
      ]);
      expect((await fetch(`${url}/${id}/redrive`, { method: 'POST', headers })).status).toBe(202);
      expect(await deliveries()).toMatchObject([{ state: 'queued' }]);
      expect((await fetch(`${url}/${id}/redrive`, { method: 'POST', headers })).status).toBe(404);
    });

    it('cannot be asked about with what PostgreSQL cannot hold', async () => {
      const headers = { authorization: `Bearer ${relays.server.keys.secretKey}` };
      const response = await fetch(`${relays.server.url}/v1/projects/local/deliveries?function=%00`, {
        headers,
      });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        code: 'invalid_request',
        message: 'function: expected text without a zero byte',
      });
    });

    it('is shown to nobody else', async () => {
      for (const key of [relays.server.keys.publishableKey, relays.server.keys.anonKey]) {
        const headers = { authorization: `Bearer ${key}` };
        expect((await fetch(`${relays.server.url}/v1/projects/local/deliveries`, { headers })).status).toBe(
          403,
        );
      }
    });
  });
});
