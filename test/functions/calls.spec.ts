import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { EventsHttpModule, sweepRequests } from '#libs/events';
import { limits } from '#libs/platform';
import { WorkerModule } from '../../apps/worker/src/worker.module.js';
import { eventually } from '../support/eventually.js';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';

const echo = `Deno.serve(async (request) => {
  const bytes = new Uint8Array(await request.arrayBuffer());
  return Response.json({
    method: request.method,
    url: new URL(request.url).pathname + new URL(request.url).search,
    bytes: [...bytes.subarray(0, 4)],
    size: bytes.length,
    headers: Object.fromEntries(request.headers),
  }, { status: 201, headers: { 'x-made': 'here' } });
});`;

/** What a client may ask of its call. */
interface CallJson {
  id: string;
  state: string;
  attempts: number;
  error: string | null;
  response: { status: number; headers: Record<string, string>; body: string; encoding: string } | null;
}

let server: FunctionsServer;
beforeAll(async () => {
  server = await startFunctionsServer([WorkerModule, EventsHttpModule]);
  await server.deploy('echo', echo);
}, 60_000);
afterAll(() => server.close());

const callLater = (path: string, init: RequestInit = {}) =>
  server.call(path, { method: 'POST', ...init, headers: { prefer: 'respond-async', ...init.headers } });
const accepted = async (path: string, init?: RequestInit) => {
  const response = await callLater(path, init);
  const { id } = (await response.json()) as { id: string };
  return { status: response.status, id, location: response.headers.get('location')! };
};
const ask = (location: string, authorization = `Bearer ${server.keys.publishableKey}`) =>
  fetch(server.url + location, { headers: { authorization } });
const outcome = (location: string) =>
  eventually(async () => {
    const call = (await (await ask(location)).json()) as CallJson;
    return (call.state === 'succeeded' || call.state === 'dead') && call;
  });
const echoed = (call: CallJson) =>
  JSON.parse(call.response!.body) as {
    method: string;
    url: string;
    bytes: number[];
    size: number;
    headers: Record<string, string>;
  };
const personToken = (id: string) =>
  `Bearer ${server.project.tokens.signForPerson({ role: 'authenticated', sub: id, plan: 'gold' }, 600)}`;
const deliveriesTo = async (slug: string) => {
  const { rows } = await server.platform.database.query('select from deliveries where function_slug = $1', [
    slug,
  ]);
  return rows.length;
};

describe('a call that prefers to be answered later', () => {
  it('is accepted, made as it came, and its answer is there for who called', async () => {
    const response = await callLater('echo/a%20b?x=1&apikey=sb_secret_x&y=2', {
      method: 'PUT',
      headers: { 'content-type': 'application/x-odd', 'x-mine': 'yes', 'x-request-id': 'trace-later' },
      body: new Uint8Array([0, 255, 254, 10]),
    });
    expect(response.status).toBe(202);
    expect(response.headers.get('preference-applied')).toBe('respond-async');
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    const { id, state } = (await response.json()) as CallJson;
    expect(state).toBe('queued');
    const location = response.headers.get('location')!;
    expect(location).toBe(`/v1/projects/local/calls/${id}`);
    const call = await outcome(location);
    expect(call).toMatchObject({
      id,
      function: 'echo',
      state: 'succeeded',
      attempts: 1,
      error: null,
      response: { status: 201, headers: { 'x-made': 'here' }, encoding: 'utf8' },
    });
    expect(echoed(call)).toMatchObject({
      method: 'PUT',
      url: '/echo/a%20b?x=1&y=2',
      bytes: [0, 255, 254, 10],
      size: 4,
      headers: {
        'content-type': 'application/x-odd',
        'x-mine': 'yes',
        'x-request-id': 'trace-later',
        'x-galley-attempt': '1',
        'x-galley-token': expect.stringMatching(/^eyJ/),
      },
    });
    expect(echoed(call).headers['prefer']).toBeUndefined();
  });

  it.each(['respond-async, wait=10', 'wait=10,Respond-Async;a=b', 'return=minimal, respond-async'])(
    'may say so as "%s"',
    async (prefer) => expect((await callLater('echo', { headers: { prefer } })).status).toBe(202),
  );

  it.each(['return=minimal', 'respond-asynchronously', 'x="respond-async"'])(
    'does not by "%s"',
    async (prefer) => expect((await callLater('echo', { headers: { prefer } })).status).toBe(201),
  );

  it('is made as whoever called, of whose credentials nothing is kept', async () => {
    const userId = randomUUID();
    const authorization = personToken(userId);
    const { id, location } = await accepted('echo', {
      headers: { authorization, cookie: 'session=secret-cookie', apikey: server.keys.anonKey },
    });
    const call = await eventually(async () => {
      const found = (await (await ask(location, personToken(userId))).json()) as CallJson;
      return found.state === 'succeeded' && found;
    });
    const { headers } = echoed(call);
    expect(headers).not.toHaveProperty('cookie');
    expect(headers).not.toHaveProperty('apikey');
    expect(headers['authorization']).not.toBe(authorization);
    const claims = await server.project.tokens.verify(headers['authorization']!.slice('Bearer '.length));
    expect(claims).toMatchObject({ role: 'authenticated', sub: userId, plan: 'gold' });
    const { rows } = await server.platform.database.query(
      'select r.*, d.payload from delivery_requests r join deliveries d on d.id = r.delivery_id where r.delivery_id = $1',
      [id],
    );
    const { response_body: _answer, ...kept } = rows[0]!;
    const token = authorization.split('.')[2]!;
    for (const secret of [token, 'secret-cookie', server.keys.anonKey]) {
      expect(JSON.stringify(kept)).not.toContain(secret);
    }
  });

  it('lends the rights of the secret key for the call, and the key itself only to who declares it', async () => {
    await server.deploy('trusted', echo, { permissions: { service_role: true } });
    const { secretKey, serviceRoleKey } = server.keys;
    const authorization = `Bearer ${secretKey}`;
    const shown = async (slug: string) => {
      const { location } = await accepted(slug, { headers: { authorization } });
      const call = await eventually(async () => {
        const found = (await (await ask(location, authorization)).json()) as CallJson;
        return found.state === 'succeeded' && found;
      });
      return echoed(call).headers['authorization'];
    };
    const lent = (await shown('echo'))!;
    expect([secretKey, serviceRoleKey]).not.toContain(lent.slice('Bearer '.length));
    expect(await server.project.tokens.verify(lent.slice('Bearer '.length))).toMatchObject({
      role: 'service_role',
    });
    expect(await shown('trusted')).toBe(`Bearer ${serviceRoleKey}`);
  });

  it('tells what became of it to who called and to the secret key, and to nobody else', async () => {
    const [ann, bob] = [randomUUID(), randomUUID()];
    const { location } = await accepted('echo', { headers: { authorization: personToken(ann) } });
    expect((await ask(location, personToken(ann))).status).toBe(200);
    expect((await ask(location, `Bearer ${server.keys.secretKey}`)).status).toBe(200);
    expect((await ask(location, personToken(bob))).status).toBe(404);
    expect((await ask(location)).status).toBe(404);
    expect((await fetch(server.url + location)).status).toBe(404);
    expect((await ask(location, 'Bearer nonsense')).status).toBe(404);
    expect((await ask('/v1/projects/local/calls/nonsense')).status).toBe(404);
    expect((await ask(`/v1/projects/local/calls/${randomUUID()}`)).status).toBe(404);
  });

  it('without a token, or with a stranger’s, is told to who comes the same way', async () => {
    await server.deploy('open', echo, { verify_jwt: false });
    const url = `${server.url}/functions/v1/open`;
    const later = async (headers: Record<string, string>) => {
      const response = await fetch(url, { method: 'POST', headers: { prefer: 'respond-async', ...headers } });
      expect(response.status).toBe(202);
      return response.headers.get('location')!;
    };
    const keyless = await later({});
    expect((await fetch(server.url + keyless)).status).toBe(200);
    expect((await ask(keyless)).status).toBe(404);
    const strange = await later({ authorization: 'Bearer theirs' });
    expect((await ask(strange, 'Bearer theirs')).status).toBe(200);
    expect((await ask(strange, 'Bearer others')).status).toBe(404);
  });

  it('is verified before it is accepted', async () => {
    await server.deploy('closed', echo);
    const response = await callLater('closed', { headers: { authorization: 'Bearer nonsense' } });
    expect(response.status).toBe(401);
    expect(
      (await fetch(`${server.url}/functions/v1/closed`, { headers: { prefer: 'respond-async' } })).status,
    ).toBe(401);
    expect(await deliveriesTo('closed')).toBe(0);
    expect((await callLater('nobody')).status).toBe(404);
  });

  it('may have a body as large as an event, and no larger', async () => {
    const { location } = await accepted('echo', { body: new Uint8Array(limits.eventPayloadBytes) });
    expect(echoed(await outcome(location)).size).toBe(limits.eventPayloadBytes);
    const before = await deliveriesTo('echo');
    const tooLarge = await callLater('echo', { body: new Uint8Array(limits.eventPayloadBytes + 1) });
    expect(tooLarge.status).toBe(413);
    expect(await tooLarge.json()).toMatchObject({ code: 'body_too_large' });
    expect(await deliveriesTo('echo')).toBe(before);
  });

  it('is made again when the function fails or asks for it, with the same body', async () => {
    await server.deploy(
      'flaky',
      `Deno.serve(async (request) => {
        const attempt = Number(request.headers.get('x-galley-attempt'));
        if (attempt === 1) return new Response('come again', { status: 429, headers: { 'retry-after': '0' } });
        if (attempt === 2) throw new Error('oh');
        return new Response(await request.text(), { status: 400 });
      });`,
    );
    const { location } = await accepted('flaky', { body: 'the same' });
    // An answer that the request was wrong is one: to ask again would change nothing.
    expect(await outcome(location)).toMatchObject({
      state: 'succeeded',
      attempts: 3,
      response: { status: 400, body: 'the same' },
    });
  });

  it('ends as a dead letter with the last answer when no attempt is left, and is made again when that is asked', async () => {
    await server.deploy('broken', `Deno.serve(() => new Response('sorry', { status: 503 }));`, {
      attempts: 1,
    });
    const { id, location } = await accepted('broken');
    expect(await outcome(location)).toMatchObject({
      state: 'dead',
      error: expect.stringContaining('503: sorry'),
      response: { status: 503, body: 'sorry' },
    });
    await server.deploy('broken', `Deno.serve(() => new Response('mended'));`);
    const redriven = await fetch(`${server.url}/v1/projects/local/deliveries/${id}/redrive`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.keys.secretKey}` },
    });
    expect(redriven.status).toBe(202);
    const mended = await eventually(async () => {
      const call = await outcome(location);
      return call.state === 'succeeded' && call;
    });
    expect(mended.response).toMatchObject({ status: 200, body: 'mended' });
  });

  it('is made once more as it was when a replay asks for that, as long as it is kept', async () => {
    const { id, location } = await accepted('echo', { body: 'again', headers: { 'x-mine': 'kept' } });
    await outcome(location);
    const replay = () => server.manage('POST', `/deliveries/${id}/replay`);
    const { status, body } = await replay();
    expect(status).toBe(202);
    const second = await outcome(`/v1/projects/local/calls/${String(body['id'])}`);
    expect(second).toMatchObject({ state: 'succeeded', error: null });
    expect(echoed(second)).toMatchObject({ method: 'POST', size: 5, headers: { 'x-mine': 'kept' } });
    await server.platform.database.query('delete from delivery_requests where delivery_id = $1', [id]);
    expect(await replay()).toMatchObject({ status: 409, body: { code: 'request_not_kept' } });
    await server.platform.database.query(`update deliveries set state = 'dead' where id = $1`, [id]);
    expect((await server.manage('POST', `/deliveries/${id}/redrive`)).status).toBe(409);
  });

  it('keeps an answer that is no text, and of one that is too large only that', async () => {
    await server.deploy(
      'bytes',
      `Deno.serve((request) => new Response(new Uint8Array(Number(new URL(request.url).searchParams.get('size'))).fill(255)));`,
    );
    const small = await outcome((await accepted('bytes?size=3')).location);
    expect(small.response).toMatchObject({ body: '////', encoding: 'base64' });
    const large = await outcome((await accepted('bytes?size=600000')).location);
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
    const refused = await callLater('crowded');
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('10');
    // They are counted as they come and go, whatever makes them.
    await server.platform.database.query(
      `update deliveries set state = 'cancelled' where id = (select id from deliveries where function_slug = 'crowded' limit 1)`,
    );
    const { location } = await accepted('crowded');
    await outcome(location);
    await server.platform.database.query(`delete from deliveries where function_slug = 'crowded'`);
    const { rows } = await server.platform.database.query<{ calls: number }>(
      `select sum(calls)::integer as calls from waiting_calls where function_slug = 'crowded'`,
    );
    expect(rows).toEqual([{ calls: 0 }]);
    expect((await callLater('crowded')).status).toBe(202);
  });

  it('is refused while anonymous callers, or all together, keep as much as they may, with the answers', async () => {
    const kept = async () => {
      const { rows } = await server.platform.database.query<{ calls: number; bytes: number }>(
        `select sum(anonymous_calls)::int as calls, sum(anonymous_bytes)::int as bytes from kept_calls`,
      );
      return rows[0]!;
    };
    const before = await kept();
    const { id, location } = await accepted('echo', { body: new Uint8Array(5000) });
    await outcome(location);
    const after = await kept();
    expect(after.calls).toBe(before.calls + 1);
    expect(after.bytes).toBeGreaterThan(before.bytes + 5000 + 'application/json'.length);
    const hoard = (calls: number, bytes: number) =>
      server.platform.database.query(
        `insert into kept_calls values ('local', -1, $1, $2, $1, $2)
         on conflict (project_ref, part) do update set calls = $1, bytes = $2, anonymous_calls = $1, anonymous_bytes = $2`,
        [calls, bytes],
      );
    const person = { headers: { authorization: personToken(randomUUID()) } };
    const quarter = [25_000, 1024 * 1024 * 1024 * 0.25] as const;
    for (const [calls, bytes] of [[quarter[0], 0] as const, [0, quarter[1]] as const]) {
      await hoard(calls, bytes);
      const refused = await callLater('echo');
      expect(refused.status).toBe(429);
      expect(refused.headers.get('retry-after')).toBe('60');
      expect(await refused.json()).toMatchObject({
        code: 'KEPT_CALLS_EXCEEDED',
        message: expect.stringContaining('anonymous callers'),
        hint: expect.stringContaining('24 hours'),
      });
      expect((await callLater('echo', person)).status).toBe(202);
      await hoard(calls * 4, bytes * 4);
      const full = await callLater('echo', person);
      expect(full.status).toBe(429);
      expect(await full.json()).toMatchObject({ message: expect.stringContaining('of the project') });
    }
    await hoard(0, 0);
    await server.platform.database.query('delete from delivery_requests where delivery_id = $1', [id]);
    const { calls } = await kept();
    expect(calls).toBe(after.calls - 1);
    expect((await callLater('echo')).status).toBe(202);
  });

  it('is passed over where a deployment is called by its number', async () => {
    const { version } = (await server.deploy('echo', echo)) as { version: number };
    const authorization = `Bearer ${server.keys.secretKey}`;
    const response = await callLater(`echo@${version}`, { headers: { authorization } });
    expect(response.status).toBe(201);
    expect(response.headers.get('preference-applied')).toBeNull();
  });

  it('is forgotten a day after its end', async () => {
    const { id, location } = await accepted('echo');
    await outcome(location);
    const age = (table: string, column: string) =>
      server.platform.database.query(
        `update ${table} set ${column} = now() - interval '25 hours' where ${table === 'deliveries' ? 'id' : 'delivery_id'} = $1`,
        [id],
      );
    await age('delivery_requests', 'created_at');
    await sweepRequests(server.platform.database, 'local', 24 * 3600 * 1000);
    expect((await ask(location)).status).toBe(200);
    await age('deliveries', 'finished_at');
    expect((await ask(location)).status).toBe(404);
    expect(await sweepRequests(server.platform.database, 'local', 24 * 3600 * 1000)).toBe(1);
  });
});

describe('a call with an idempotency key', () => {
  const keyed = (key: string, init: RequestInit = {}, path = 'echo') =>
    callLater(path, { body: 'one', ...init, headers: { 'idempotency-key': key, ...init.headers } });
  const idOf = async (response: Response) => ((await response.json()) as { id: string }).id;

  it('is one call however often it comes', async () => {
    await server.deploy('counted', echo);
    const key = `"${randomUUID()}"`;
    const first = await keyed(key, {}, 'counted');
    const location = first.headers.get('location')!;
    const id = await idOf(first);
    await outcome(location);
    const again = await keyed(key, {}, 'counted');
    expect(again.status).toBe(202);
    expect(again.headers.get('location')).toBe(location);
    expect(await again.json()).toEqual({ id, state: 'succeeded' });
    expect(await deliveriesTo('counted')).toBe(1);
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
      await keyed(key, { headers: { authorization: personToken(randomUUID()) } }),
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
    const authorization = personToken(randomUUID());
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
