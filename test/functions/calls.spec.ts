import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { eventually } from '../support/eventually.js';
import { echo, echoed, startCallsServer, type CallJson, type CallsServer } from './calls-server.js';

let server: CallsServer;
beforeAll(async () => {
  server = await startCallsServer();
});
afterAll(() => server.close());

describe('a call that prefers to be answered later', () => {
  it('is accepted, made as it came, and its answer is there for who called', async () => {
    const response = await server.callLater('echo/a%20b?x=1&apikey=sb_secret_x&y=2', {
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
    const call = await server.outcome(location);
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
    async (prefer) => expect((await server.callLater('echo', { headers: { prefer } })).status).toBe(202),
  );

  it.each(['return=minimal', 'respond-asynchronously', 'x="respond-async"'])(
    'does not by "%s"',
    async (prefer) => expect((await server.callLater('echo', { headers: { prefer } })).status).toBe(201),
  );

  it('is made as whoever called, of whose credentials nothing is kept', async () => {
    const userId = randomUUID();
    const authorization = server.personToken(userId);
    const { id, location } = await server.accepted('echo', {
      headers: { authorization, cookie: 'session=secret-cookie', apikey: server.keys.anonKey },
    });
    const call = await eventually(async () => {
      const found = (await (await server.ask(location, server.personToken(userId))).json()) as CallJson;
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
      const { location } = await server.accepted(slug, { headers: { authorization } });
      const call = await eventually(async () => {
        const found = (await (await server.ask(location, authorization)).json()) as CallJson;
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
    const { location } = await server.accepted('echo', {
      headers: { authorization: server.personToken(ann) },
    });
    expect((await server.ask(location, server.personToken(ann))).status).toBe(200);
    expect((await server.ask(location, `Bearer ${server.keys.secretKey}`)).status).toBe(200);
    expect((await server.ask(location, server.personToken(bob))).status).toBe(404);
    expect((await server.ask(location)).status).toBe(404);
    expect((await fetch(server.url + location)).status).toBe(404);
    expect((await server.ask(location, 'Bearer nonsense')).status).toBe(404);
    expect((await server.ask('/v1/projects/local/calls/nonsense')).status).toBe(404);
    expect((await server.ask(`/v1/projects/local/calls/${randomUUID()}`)).status).toBe(404);
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
    expect((await server.ask(keyless)).status).toBe(404);
    const strange = await later({ authorization: 'Bearer theirs' });
    expect((await server.ask(strange, 'Bearer theirs')).status).toBe(200);
    expect((await server.ask(strange, 'Bearer others')).status).toBe(404);
  });

  it('is verified before it is accepted', async () => {
    await server.deploy('closed', echo);
    const response = await server.callLater('closed', { headers: { authorization: 'Bearer nonsense' } });
    expect(response.status).toBe(401);
    expect(
      (await fetch(`${server.url}/functions/v1/closed`, { headers: { prefer: 'respond-async' } })).status,
    ).toBe(401);
    expect(await server.deliveriesTo('closed')).toBe(0);
    expect((await server.callLater('nobody')).status).toBe(404);
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
    const { location } = await server.accepted('flaky', { body: 'the same' });
    // An answer that the request was wrong is one: to ask again would change nothing.
    expect(await server.outcome(location)).toMatchObject({
      state: 'succeeded',
      attempts: 3,
      response: { status: 400, body: 'the same' },
    });
  });

  it('ends as a dead letter with the last answer when no attempt is left, and is made again when that is asked', async () => {
    await server.deploy('broken', `Deno.serve(() => new Response('sorry', { status: 503 }));`, {
      attempts: 1,
    });
    const { id, location } = await server.accepted('broken');
    expect(await server.outcome(location)).toMatchObject({
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
      const call = await server.outcome(location);
      return call.state === 'succeeded' && call;
    });
    expect(mended.response).toMatchObject({ status: 200, body: 'mended' });
  });

  it('is made once more as it was when a replay asks for that, as long as it is kept', async () => {
    const { id, location } = await server.accepted('echo', { body: 'again', headers: { 'x-mine': 'kept' } });
    await server.outcome(location);
    const replay = () => server.manage('POST', `/deliveries/${id}/replay`);
    const { status, body } = await replay();
    expect(status).toBe(202);
    const second = await server.outcome(`/v1/projects/local/calls/${String(body['id'])}`);
    expect(second).toMatchObject({ state: 'succeeded', error: null });
    expect(echoed(second)).toMatchObject({ method: 'POST', size: 5, headers: { 'x-mine': 'kept' } });
    await server.platform.database.query('delete from delivery_requests where delivery_id = $1', [id]);
    expect(await replay()).toMatchObject({ status: 409, body: { code: 'request_not_kept' } });
    await server.platform.database.query(`update deliveries set state = 'dead' where id = $1`, [id]);
    expect((await server.manage('POST', `/deliveries/${id}/redrive`)).status).toBe(409);
  });

  it('is passed over where a deployment is called by its number', async () => {
    const { version } = (await server.deploy('echo', echo)) as { version: number };
    const authorization = `Bearer ${server.keys.secretKey}`;
    const response = await server.callLater(`echo@${version}`, { headers: { authorization } });
    expect(response.status).toBe(201);
    expect(response.headers.get('preference-applied')).toBeNull();
  });
});
