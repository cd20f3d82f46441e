import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DataModule } from '#libs/data';
import { EventsHttpModule } from '#libs/events';
import { UsageHttpModule } from '#libs/usage';
import { HealthModule, ManagementModule } from '../../apps/server/src/features.js';
import { startTestServer, type TestServer } from '../support/server.js';

interface Answer {
  status: number;
  body: Record<string, unknown> & unknown[];
}

describe('a personal access token', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({
      modules: [ManagementModule, EventsHttpModule, UsageHttpModule, DataModule, HealthModule],
    });
  });
  afterAll(() => server.close());

  const request = async (method: string, path: string, bearer: string, body?: unknown): Promise<Answer> => {
    const response = await fetch(`${server.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${bearer}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Answer['body'] };
  };
  const create = async (name: string, more = {}) => {
    const { status, body } = await request('POST', '/v1/access-tokens', server.keys.secretKey, {
      name,
      ...more,
    });
    expect(status).toBe(201);
    return body as unknown as { id: string; token: string };
  };
  const list = async () =>
    (await request('GET', '/v1/access-tokens', server.keys.secretKey)).body as unknown as Record<
      string,
      unknown
    >[];

  it('is shown once, and only its hash is kept', async () => {
    const { token, id } = await create('laptop');
    expect(token).toMatch(/^sbp_[0-9a-f]{40}$/);
    const listed = (await list()).find((one) => one['id'] === id);
    expect(listed).toEqual({
      id,
      name: 'laptop',
      created_at: expect.any(String),
      last_used_at: null,
      expires_at: null,
    });
    const { rows } = await server.platform.database.query<{ row: string }>(
      'select t::text as row from access_tokens t',
    );
    expect(rows.filter(({ row }) => row.includes(token.slice(4)))).toEqual([]);
  });

  it('opens the management API, by either name of the project, and notes when it was used', async () => {
    const { token, id } = await create('ci');
    const projects = await request('GET', '/v1/projects', token);
    expect(projects).toMatchObject({
      status: 200,
      body: [{ ref: 'locallocallocallocal', name: 'local', status: 'ACTIVE_HEALTHY' }],
    });
    for (const ref of ['local', 'locallocallocallocal']) {
      for (const path of ['', '/deliveries', '/invocations', '/usage']) {
        expect(await request('GET', `/v1/projects/${ref}${path}`, token)).toMatchObject({ status: 200 });
      }
    }
    const migration = { name: '1_by_token', query: 'create table public.by_token (id int)' };
    expect(await request('POST', '/v1/projects/local/database/migrations', token, migration)).toMatchObject({
      body: { applied: true },
    });
    const used = (await list()).find((one) => one['id'] === id)!['last_used_at'] as string;
    expect(Date.now() - Date.parse(used)).toBeLessThan(60_000);
  });

  it('opens no project that is not there', async () => {
    const { token } = await create('stray');
    expect(await request('GET', '/v1/projects/nowhere/usage', token)).toMatchObject({
      status: 404,
      body: { code: 'not_found' },
    });
  });

  it('makes, lists and revokes no tokens itself', async () => {
    const { token, id } = await create('climber');
    for (const [method, path] of [
      ['GET', ''],
      ['POST', ''],
      ['DELETE', `/${id}`],
    ] as const) {
      const answer = await request(method, `/v1/access-tokens${path}`, token);
      expect(answer).toMatchObject({ status: 403, body: { code: 'service_role_required' } });
    }
    expect((await request('GET', '/v1/access-tokens', server.keys.publishableKey)).status).toBe(403);
  });

  it('opens nothing but the management API', async () => {
    const { token } = await create('curious');
    for (const path of ['/rest/v1/', '/metrics']) {
      expect((await request('GET', path, token)).status).toBe(401);
    }
  });

  it('is refused from the moment at which it is revoked', async () => {
    const { token, id } = await create('gone');
    expect((await request('GET', '/v1/projects', token)).status).toBe(200);
    expect((await request('DELETE', `/v1/access-tokens/${id}`, server.keys.secretKey)).status).toBe(200);
    expect(await request('GET', '/v1/projects', token)).toMatchObject({
      status: 401,
      body: { code: 'invalid_access_token', message: 'Invalid access token' },
    });
    expect((await request('DELETE', `/v1/access-tokens/${id}`, server.keys.secretKey)).status).toBe(404);
    expect((await request('DELETE', '/v1/access-tokens/laptop', server.keys.secretKey)).status).toBe(404);
  });

  it('is refused once it has expired', async () => {
    const { token, id } = await create('short', { expires_at: new Date(Date.now() + 60_000).toISOString() });
    expect((await request('GET', '/v1/projects', token)).status).toBe(200);
    await server.platform.database.query('update access_tokens set expires_at = now() where id = $1', [id]);
    expect(await request('GET', '/v1/projects', token)).toMatchObject({
      status: 401,
      body: { message: 'The access token has expired' },
    });
  });

  it.each([
    [{}, /name/],
    [{ name: '' }, /name/],
    [{ name: 'x'.repeat(101) }, /name/],
    [{ name: 'x', expires_at: '2020-01-01T00:00:00Z' }, /expires_at: expected a time to come/],
    [{ name: 'x', scopes: ['all'] }, /scopes/],
  ])('is not made from %j', async (body, message) => {
    const answer = await request('POST', '/v1/access-tokens', server.keys.secretKey, body);
    expect(answer).toMatchObject({ status: 400, body: { message: expect.stringMatching(message) } });
  });

  it.each([`sbp_${'0'.repeat(40)}`, 'sbp_', `sbp_${'0'.repeat(4000)}`, `sbp_oauth_${'0'.repeat(40)}`])(
    'that nobody made is refused',
    async (token) => {
      expect(await request('GET', '/v1/projects', token)).toMatchObject({
        status: 401,
        body: { code: 'invalid_access_token' },
      });
    },
  );
});
