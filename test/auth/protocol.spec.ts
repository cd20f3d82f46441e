import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AuthModule } from '#libs/auth';
import { startTestServer, type TestServer } from '../support/server.js';
import { call, newEmail, password, signUpPerson } from './people.js';

const versioned = { 'X-Supabase-Api-Version': '2024-01-01' };

const fetchWithoutKey = (server: TestServer, path: string) => fetch(`${server.url}/auth/v1/${path}`);

describe('the auth protocol', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ modules: [AuthModule] });
  });
  afterAll(() => server.close());

  it('answers errors in the shape of the API version that was asked for, and repeats it', async () => {
    const body = { email: newEmail(), password };
    const initial = await call(server, 'POST', 'token?grant_type=password', { body });
    expect(initial.status).toBe(400);
    expect(initial.headers.get('x-supabase-api-version')).toBeNull();
    expect(initial.body).toEqual({
      code: 400,
      error_code: 'invalid_credentials',
      msg: 'Invalid login credentials',
    });
    const later = await call(server, 'POST', 'token?grant_type=password', { body, headers: versioned });
    expect(later.status).toBe(400);
    expect(later.headers.get('x-supabase-api-version')).toBe('2024-01-01');
    expect(later.body).toEqual({ code: 'invalid_credentials', message: 'Invalid login credentials' });
  });

  it('tells the reasons of a weak password in both shapes', async () => {
    const body = { email: newEmail(), password: 'short' };
    const msg = 'Password should be at least 6 characters.';
    const weak_password = { reasons: ['length'] };
    expect((await call(server, 'POST', 'signup', { body })).body).toEqual({
      code: 422,
      error_code: 'weak_password',
      msg,
      weak_password,
    });
    expect((await call(server, 'POST', 'signup', { body, headers: versioned })).body).toEqual({
      code: 'weak_password',
      message: msg,
      weak_password,
    });
  });

  it.each([
    ['no token', {}, 401, 'no_authorization'],
    ['a key in place of a token', { token: 'key' }, 403, 'bad_jwt'],
    ['a token that is none', { token: 'a.b.c' }, 403, 'bad_jwt'],
  ])('refuses GET /user with %s', async (_what, options, status, error_code) => {
    const token = 'token' in options && options.token === 'key' ? server.keys.anonKey : undefined;
    const answer = await call(server, 'GET', 'user', { ...options, ...(token && { token }) });
    expect(answer).toMatchObject({ status, body: { code: status, error_code } });
  });

  it('refuses an expired token as a bad one', async () => {
    const { id } = await signUpPerson(server);
    const token = server.project.tokens.sign({ sub: id, role: 'authenticated' }, -10);
    const answer = await call(server, 'GET', 'user', { token });
    expect(answer).toMatchObject({ status: 403, body: { error_code: 'bad_jwt' } });
    expect(answer.body['msg']).toMatch(/expired/);
  });

  it('answers a token that another issuer signed for a person, without a session', async () => {
    const { id } = await signUpPerson(server);
    const token = server.project.tokens.sign({ sub: id, role: 'authenticated' }, 60);
    expect(await call(server, 'GET', 'user', { token })).toMatchObject({ status: 200, body: { id } });
  });

  it('refuses requests without a key, save for what is public', async () => {
    const refused = await fetchWithoutKey(server, 'settings');
    expect(refused.status).toBe(401);
    expect(await refused.json()).toEqual({
      code: 401,
      error_code: 'no_authorization',
      msg: 'No API key found in request',
    });
    expect((await fetchWithoutKey(server, '.well-known/jwks.json')).status).toBe(200);
    expect((await fetchWithoutKey(server, 'health')).status).toBe(200);
  });

  it.each([
    ['an array', '[]', 'bad_json'],
    ['a field of the wrong type', '{"email":1,"password":"x"}', 'validation_failed'],
    ['no address', '{"password":"x"}', 'validation_failed'],
    ['nulls', '{"email":null,"password":null}', 'validation_failed'],
  ])('answers %s in the body with a clear 400', async (_what, body, error_code) => {
    const answer = await call(server, 'POST', 'token?grant_type=password', { body });
    expect(answer).toMatchObject({ status: 400, body: { error_code } });
  });

  it.each([
    ['token', 'unsupported_grant_type'],
    ['token?grant_type=pkce', 'unsupported_grant_type'],
    ['token?grant_type=web3', 'unsupported_grant_type'],
  ])('answers POST /%s with %s', async (path, error_code) => {
    expect(await call(server, 'POST', path, { body: {} })).toMatchObject({
      status: 400,
      body: { error_code },
    });
  });

  it('tells clients how to sign in', async () => {
    const { body } = await call(server, 'GET', 'settings');
    expect(body).toMatchObject({
      external: { email: true, phone: false, anonymous_users: false, google: false },
      disable_signup: false,
      mailer_autoconfirm: true,
      phone_autoconfirm: false,
      saml_enabled: false,
    });
  });

  it('publishes what sessions are verified with, and nothing more', async () => {
    const { keys } = (await call(server, 'GET', '.well-known/jwks.json')).body as { keys: object[] };
    expect(keys).toEqual([expect.objectContaining({ kty: 'EC', alg: 'ES256', kid: expect.any(String) })]);
    expect(keys[0]).not.toHaveProperty('d');
    expect((await call(server, 'GET', 'health')).body).toMatchObject({ name: 'Galley' });
  });

  it.each([
    ['POST', 'otp', 422, 'otp_disabled'],
    ['POST', 'recover', 422, 'feature_disabled'],
    ['GET', 'authorize?provider=google', 400, 'provider_disabled'],
    ['POST', 'factors', 422, 'mfa_totp_enroll_not_enabled'],
    ['POST', 'factors/x/verify', 422, 'mfa_totp_verify_not_enabled'],
    ['POST', 'passkeys/registration/options', 404, 'passkey_disabled'],
    ['DELETE', 'user/identities/x', 404, 'manual_linking_disabled'],
    ['POST', 'sso', 404, 'saml_provider_disabled'],
    ['GET', 'admin/users', 403, 'not_admin'],
    ['GET', 'signup', 405, 'method_not_allowed'],
    ['GET', 'nothing', 404, 'not_found'],
  ])('answers %s /%s, which it does not offer, with %i %s', async (method, path, status, error_code) => {
    const answer = await call(server, method, path, method === 'GET' ? {} : { body: {} });
    expect(answer).toMatchObject({ status, body: { code: status, error_code } });
  });

  it('tells a secret key that the admin API is not there', async () => {
    const { error } = await server.client(server.keys.secretKey).auth.admin.listUsers();
    expect(error).toMatchObject({ status: 404, code: 'feature_disabled' });
  });
});

describe('the limits of the auth protocol', () => {
  const oneEachHour = { requests: 1, perMs: 3_600_000 };

  it('answer a client that asks too often with 429 and when to come again', async () => {
    const limits = { signUps: oneEachHour, passwordAttempts: oneEachHour, refreshes: oneEachHour };
    const server = await startTestServer({ modules: [AuthModule.withLimits(limits)] });
    try {
      const requests: [string, object][] = [
        ['signup', { email: newEmail(), password }],
        ['token?grant_type=password', { email: newEmail(), password }],
        ['token?grant_type=refresh_token', { refresh_token: 'x' }],
      ];
      for (const [path, body] of requests) {
        expect((await call(server, 'POST', path, { body })).status).not.toBe(429);
        const refused = await call(server, 'POST', path, { body });
        expect(refused).toMatchObject({ status: 429, body: { error_code: 'over_request_rate_limit' } });
        expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(3000);
      }
    } finally {
      await server.close();
    }
  });
});
