import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestServer } from '../support/server.js';
import { jsonOf, startCinema } from './cinema.js';

const ann = '00000000-0000-4000-8000-00000000000a';
let server: TestServer;

beforeAll(async () => {
  server = await startCinema({
    PGRST_DB_ANON_ROLE: 'anon',
    PGRST_DB_PRE_REQUEST: 'hooks.check',
    PGRST_JWT_AUD: 'cinema',
    PGRST_JWT_ROLE_CLAIM_KEY: '$.app.roles[0]',
  });
  await server.project.database.query(`
    create schema hooks;
    grant usage on schema hooks to anon, authenticated, service_role;
    create function hooks.check() returns void language plpgsql as $$
      begin
        if current_setting('request.headers')::json->>'x-banned' is not null then
          raise sqlstate 'PT403' using message = 'Banned', hint = current_role;
        end if;
        perform set_config('response.headers', '[{"X-Checked": "yes"}]', true);
      end
    $$;
    create function me() returns text language sql stable as 'select current_role::text';
  `);
});
afterAll(() => server.close());

const me = (headers: Record<string, string> = {}) => fetch(`${server.url}/rest/v1/rpc/me`, { headers });
const bearer = (claims: Record<string, unknown>) => ({
  authorization: `Bearer ${server.project.tokens.sign({ sub: ann, ...claims }, 60)}`,
});

describe('a request without a key', () => {
  it('has the anonymous role where there is one', async () => {
    expect(await jsonOf<string>(await me())).toBe('anon');
  });

  it('is refused by policies as a stranger is', async () => {
    const refused = await fetch(`${server.url}/rest/v1/vault`);
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
  });
});

describe('the role of a token', () => {
  it('stands where the settings say', async () => {
    expect(
      await jsonOf<string>(await me(bearer({ role: 'service_role', app: { roles: ['authenticated'] } }))),
    ).toBe('authenticated');
    expect(await jsonOf<string>(await me(bearer({ role: 'service_role' })))).toBe('anon');
  });

  it('stands there also for a token that names no person', async () => {
    const asNobody = async (claims: object) =>
      jsonOf<string>(await me(bearer({ sub: undefined, ...claims })));
    expect(await asNobody({ app: { roles: ['service_role'] } })).toBe('service_role');
    expect(await asNobody({ role: 'service_role', app: { roles: ['anon'] } })).toBe('anon');
    expect(await asNobody({ role: 'service_role' })).toBe('anon');
  });

  it('of what stands for a key in a function stays what the key is for', async () => {
    expect(await jsonOf<string>(await me(bearer({ role: 'service_role', galley_key: true })))).toBe(
      'service_role',
    );
  });

  it('of a key stays what the key is for', async () => {
    expect(await jsonOf<string>(await me({ apikey: server.keys.secretKey }))).toBe('service_role');
    expect(await jsonOf<string>(await me({ apikey: server.keys.serviceRoleKey }))).toBe('service_role');
  });
});

describe('an Authorization header', () => {
  const withKey = (authorization: string) => me({ apikey: server.keys.secretKey, authorization });

  it.each([
    ['Bearer', 'Empty JWT is sent in Authorization header'],
    ['bearer x y', 'Expected 3 parts in JWT; got 1'],
  ])('of %j is refused, also beside a key', async (authorization, message) => {
    const refused = await withKey(authorization);
    expect([refused.status, await jsonOf(refused)]).toEqual([
      401,
      { code: 'PGRST301', details: null, hint: null, message },
    ]);
  });

  it('of another scheme leaves the key', async () => {
    expect(await jsonOf<string>(await withKey('Basic eDp5'))).toBe('service_role');
  });
});

describe('the audience of a token', () => {
  it.each([['cinema'], [['cinema', 'theatre']], [[]], [null], [undefined]])('may be %j', async (aud) => {
    expect((await me(bearer({ aud }))).status).toBe(200);
  });

  it.each([
    ['theatre', 'JWT not in audience'],
    ['', 'JWT not in audience'],
    [['theatre'], 'JWT not in audience'],
    [7, `The JWT 'aud' claim must be a string or an array of strings`],
    [[7], `The JWT 'aud' claim must be a string or an array of strings`],
  ])('may not be %j', async (aud, message) => {
    const refused = await me(bearer({ aud }));
    expect([refused.status, await jsonOf(refused)]).toEqual([
      401,
      { code: 'PGRST303', details: null, hint: null, message },
    ]);
    expect(refused.headers.get('www-authenticate')).toBe(
      `Bearer error="invalid_token", error_description=${JSON.stringify(message)}`,
    );
  });
});

describe('the function that is called before each request', () => {
  const films = (init: RequestInit = {}) => fetch(`${server.url}/rest/v1/films?id=eq.0`, init);

  it('may refuse it, as the caller', async () => {
    const refused = await films({ headers: { 'x-banned': 'yes' } });
    expect([refused.status, await jsonOf(refused)]).toEqual([
      403,
      { code: 'PT403', details: null, hint: 'anon', message: 'Banned' },
    ]);
  });

  it.each(['GET', 'HEAD', 'PATCH', 'DELETE'])('may add to what a %s is answered', async (method) => {
    const body = method === 'PATCH' ? '{"year":1962}' : undefined;
    const headers = { 'content-type': 'application/json' };
    const response = await films({ method, headers, ...(body && { body }) });
    expect(response.ok).toBe(true);
    expect(response.headers.get('x-checked')).toBe('yes');
  });
});
