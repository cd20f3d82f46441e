import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { sweepRequests } from '#libs/events';
import { limits } from '#libs/platform';
import { echo, echoed, startCallsServer, type CallsServer } from './calls-server.js';

let server: CallsServer;
beforeAll(async () => {
  server = await startCallsServer();
});
afterAll(() => server.close());

describe('a call that prefers to be answered later', () => {
  it('may have a body as large as an event, and no larger', async () => {
    const { location } = await server.accepted('echo', { body: new Uint8Array(limits.eventPayloadBytes) });
    expect(echoed(await server.outcome(location)).size).toBe(limits.eventPayloadBytes);
    const before = await server.deliveriesTo('echo');
    const tooLarge = await server.callLater('echo', { body: new Uint8Array(limits.eventPayloadBytes + 1) });
    expect(tooLarge.status).toBe(413);
    expect(await tooLarge.json()).toMatchObject({ code: 'body_too_large' });
    expect(await server.deliveriesTo('echo')).toBe(before);
  });

  it('keeps an answer that is no text, and of one that is too large only that', async () => {
    await server.deploy(
      'bytes',
      `Deno.serve((request) => new Response(new Uint8Array(Number(new URL(request.url).searchParams.get('size'))).fill(255)));`,
    );
    const small = await server.outcome((await server.accepted('bytes?size=3')).location);
    expect(small.response).toMatchObject({ body: '////', encoding: 'base64' });
    const large = await server.outcome((await server.accepted('bytes?size=600000')).location);
    expect(large.response).toMatchObject({ status: 200, body: null, left_out: expect.any(String) });
  });

  it('is refused while too many wait', async () => {
    await server.deploy('crowded', echo);
    await server.platform.database.query(
      `insert into deliveries (id, project_ref, subscription_id, function_slug, event_id, event_name, payload,
                               request_id, depth, occurred_at)
       select gen_random_uuid(), 'local', gen_random_uuid(), 'crowded', gen_random_uuid(), 'http.call', '{}', '', 0, now()
       from generate_series(1, 10000)`,
    );
    const refused = await server.callLater('crowded');
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('10');
    // They are counted as they come and go, whatever makes them.
    await server.platform.database.query(
      `update deliveries set state = 'cancelled' where id = (select id from deliveries where function_slug = 'crowded' limit 1)`,
    );
    const { location } = await server.accepted('crowded');
    await server.outcome(location);
    await server.platform.database.query(`delete from deliveries where function_slug = 'crowded'`);
    const { rows } = await server.platform.database.query<{ calls: number }>(
      `select sum(calls)::integer as calls from waiting_calls where function_slug = 'crowded'`,
    );
    expect(rows).toEqual([{ calls: 0 }]);
    expect((await server.callLater('crowded')).status).toBe(202);
  });

  it('is refused while anonymous callers, or all together, keep as much as they may, with the answers', async () => {
    const kept = async () => {
      const { rows } = await server.platform.database.query<{ calls: number; bytes: number }>(
        `select sum(anonymous_calls)::int as calls, sum(anonymous_bytes)::int as bytes from kept_calls`,
      );
      return rows[0]!;
    };
    const before = await kept();
    const { id, location } = await server.accepted('echo', { body: new Uint8Array(5000) });
    await server.outcome(location);
    const after = await kept();
    expect(after.calls).toBe(before.calls + 1);
    expect(after.bytes).toBeGreaterThan(before.bytes + 5000 + 'application/json'.length);
    const hoard = (calls: number, bytes: number) =>
      server.platform.database.query(
        `insert into kept_calls values ('local', -1, $1, $2, $1, $2)
         on conflict (project_ref, part) do update set calls = $1, bytes = $2, anonymous_calls = $1, anonymous_bytes = $2`,
        [calls, bytes],
      );
    const person = { headers: { authorization: server.personToken(randomUUID()) } };
    const quarter = [25_000, 1024 * 1024 * 1024 * 0.25] as const;
    for (const [calls, bytes] of [[quarter[0], 0] as const, [0, quarter[1]] as const]) {
      await hoard(calls, bytes);
      const refused = await server.callLater('echo');
      expect(refused.status).toBe(429);
      expect(refused.headers.get('retry-after')).toBe('60');
      expect(await refused.json()).toMatchObject({
        code: 'KEPT_CALLS_EXCEEDED',
        message: expect.stringContaining('anonymous callers'),
        hint: expect.stringContaining('24 hours'),
      });
      expect((await server.callLater('echo', person)).status).toBe(202);
      await hoard(calls * 4, bytes * 4);
      const full = await server.callLater('echo', person);
      expect(full.status).toBe(429);
      expect(await full.json()).toMatchObject({ message: expect.stringContaining('of the project') });
    }
    await hoard(0, 0);
    await server.platform.database.query('delete from delivery_requests where delivery_id = $1', [id]);
    const { calls } = await kept();
    expect(calls).toBe(after.calls - 1);
    expect((await server.callLater('echo')).status).toBe(202);
  });

  it('is forgotten a day after its end', async () => {
    const { id, location } = await server.accepted('echo');
    await server.outcome(location);
    const age = (table: string, column: string) =>
      server.platform.database.query(
        `update ${table} set ${column} = now() - interval '25 hours' where ${table === 'deliveries' ? 'id' : 'delivery_id'} = $1`,
        [id],
      );
    await age('delivery_requests', 'created_at');
    await sweepRequests(server.platform.database, 'local', 24 * 3600 * 1000);
    expect((await server.ask(location)).status).toBe(200);
    await age('deliveries', 'finished_at');
    expect((await server.ask(location)).status).toBe(404);
    expect(await sweepRequests(server.platform.database, 'local', 24 * 3600 * 1000)).toBe(1);
  });
});
