import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { eventually } from '../support/eventually.js';
import { echo, startCallsServer, type CallsServer } from './calls-server.js';

let server: CallsServer;
beforeAll(async () => {
  server = await startCallsServer();
});
afterAll(() => server.close());

describe('a call with an idempotency key', () => {
  const keyed = (key: string, init: RequestInit = {}, path = 'echo') =>
    server.callLater(path, { body: 'one', ...init, headers: { 'idempotency-key': key, ...init.headers } });
  const idOf = async (response: Response) => ((await response.json()) as { id: string }).id;

  it('is one call however often it comes', async () => {
    await server.deploy('counted', echo);
    const key = `"${randomUUID()}"`;
    const first = await keyed(key, {}, 'counted');
    const location = first.headers.get('location')!;
    const id = await idOf(first);
    await server.outcome(location);
    const again = await keyed(key, {}, 'counted');
    expect(again.status).toBe(202);
    expect(again.headers.get('location')).toBe(location);
    expect(await again.json()).toEqual({ id, state: 'succeeded' });
    expect(await server.deliveriesTo('counted')).toBe(1);
  });

  it('is refused with another request, and is another one with another key, function or caller', async () => {
    const key = randomUUID();
    const id = await idOf(await keyed(key));
    for (const [init, path] of [
      [{ body: 'two' }, 'echo'],
      [{ method: 'PUT' }, 'echo'],
      [{}, 'echo/elsewhere'],
      [{}, 'echo?x=1'],
      [{ headers: { 'content-type': 'text/other' } }, 'echo'],
    ] as const) {
      const response = await keyed(key, init, path);
      expect(response.status).toBe(422);
      expect(await response.json()).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
    }
    const others = [
      await keyed(randomUUID()),
      await keyed(key, {}, 'counted'),
      await keyed(key, { headers: { authorization: server.personToken(randomUUID()) } }),
    ];
    for (const other of others) {
      expect(other.status).toBe(202);
      expect(await idOf(other)).not.toBe(id);
    }
  });

  it('of an anonymous caller is the same from another address, and another’s only if the function could not tell them apart', async () => {
    const key = randomUUID();
    const from = (address: string, shown: Record<string, string> = {}) =>
      keyed(key, { headers: { 'x-forwarded-for': address, 'x-retry-count': address, ...shown } });
    const id = await idOf(await from('192.0.2.1'));
    expect(await idOf(await from('198.51.100.7'))).toBe(id);
    const other = await from('192.0.2.1', { 'x-session': 'of somebody else' });
    expect(other.status).toBe(422);
    expect(await other.json()).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
  });

  it('of a person is the same with other headers', async () => {
    const key = randomUUID();
    const authorization = server.personToken(randomUUID());
    const id = await idOf(await keyed(key, { headers: { authorization } }));
    expect(await idOf(await keyed(key, { headers: { authorization, 'x-mine': 'changed' } }))).toBe(id);
  });

  it('is told to wait while the same is being accepted', async () => {
    const key = randomUUID();
    // Nothing can be recorded meanwhile.
    const { database } = server.platform;
    let first!: Promise<Response>;
    await database.transaction(async (tx) => {
      await tx.query('lock table deliveries in exclusive mode');
      first = keyed(key);
      await eventually(async () => {
        const { rows } = await database.query(
          `select from pg_stat_activity where wait_event_type = 'Lock' and query like '%insert into deliveries%'`,
        );
        return rows.length > 0;
      });
      const second = await keyed(key);
      expect(second.status).toBe(409);
      expect(second.headers.get('retry-after')).toBe('1');
      expect(await second.json()).toMatchObject({ code: 'IDEMPOTENCY_KEY_IN_USE' });
    });
    expect((await first).status).toBe(202);
    expect(await idOf(await keyed(key))).toBe(await idOf(await first));
  });

  it('may be used anew after a day', async () => {
    const key = randomUUID();
    const id = await idOf(await keyed(key));
    await server.platform.database.query(
      `update delivery_requests set created_at = now() - interval '25 hours' where delivery_id = $1`,
      [id],
    );
    const response = await keyed(key, { body: 'two' });
    expect(response.status).toBe(202);
    expect(await idOf(response)).not.toBe(id);
  });

  it('is refused when that is no key', async () => {
    const response = await keyed('"open');
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'invalid_request' });
  });
});
