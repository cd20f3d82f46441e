import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AuthModule } from '#libs/auth';
import { startTestServer, type TestServer } from '../support/server.js';
import { call, newEmail, password, signInAgain, signUpPerson } from './people.js';

describe('a signed-in person', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ modules: [AuthModule] });
  });
  afterAll(() => server.close());

  it('reads their own account', async () => {
    const { client, id, email } = await signUpPerson(server);
    const { data, error } = await client.auth.getUser();
    expect(error).toBeNull();
    expect(data.user).toMatchObject({ id, email });
    expect((await client.auth.getClaims()).data?.claims.sub).toBe(id);
  });

  it('changes their user_metadata key by key; null takes a key out', async () => {
    const { client } = await signUpPerson(server);
    await client.auth.updateUser({ data: { name: 'Ada', city: 'London' } });
    const { data } = await client.auth.updateUser({ data: { city: null, plan: 'pro' } });
    expect(data.user!.user_metadata).toMatchObject({ name: 'Ada', plan: 'pro' });
    expect(data.user!.user_metadata).not.toHaveProperty('city');
  });

  it('cannot let user_metadata grow past what a token can carry', async () => {
    const { client } = await signUpPerson(server);
    await client.auth.updateUser({ data: { a: 'x'.repeat(10_000) } });
    const { error } = await client.auth.updateUser({ data: { b: 'x'.repeat(10_000) } });
    expect(error).toMatchObject({ status: 400, code: 'validation_failed' });
    expect((await client.auth.getUser()).data.user!.user_metadata).not.toHaveProperty('b');
  });

  it('changes their address at once', async () => {
    const { client, email } = await signUpPerson(server);
    const newAddress = newEmail();
    const { data, error } = await client.auth.updateUser({ email: newAddress.toUpperCase() });
    expect(error).toBeNull();
    expect(data.user).toMatchObject({
      email: newAddress,
      identities: [{ identity_data: { email: newAddress } }],
    });
    const { auth } = server.client();
    expect((await auth.signInWithPassword({ email: newAddress, password })).error).toBeNull();
    expect((await auth.signInWithPassword({ email, password })).error?.code).toBe('invalid_credentials');
  });

  it("cannot take another person's address", async () => {
    const [one, other] = await Promise.all([signUpPerson(server), signUpPerson(server)]);
    const { error } = await one.client.auth.updateUser({ email: other.email });
    expect(error).toMatchObject({ status: 422, code: 'email_exists' });
  });

  it('changes their password, which signs out their other devices', async () => {
    const person = await signUpPerson(server);
    const elsewhere = await signInAgain(server, person);
    const { error } = await person.client.auth.updateUser({ password: 'another horse' });
    expect(error).toBeNull();
    expect((await person.client.auth.getUser()).error).toBeNull();
    expect((await elsewhere.client.auth.getUser()).error).toMatchObject({ name: 'AuthSessionMissingError' });
    const { auth } = server.client();
    expect((await auth.signInWithPassword({ email: person.email, password })).error?.code).toBe(
      'invalid_credentials',
    );
    expect(
      (await auth.signInWithPassword({ email: person.email, password: 'another horse' })).error,
    ).toBeNull();
  });

  it.each([
    ['the password they have', { password }, 422, 'same_password'],
    ['a weak password', { password: 'short' }, 422, 'weak_password'],
    ['a password over 72 bytes', { password: 'x'.repeat(73) }, 400, 'validation_failed'],
    [
      'a wrong current password',
      { password: 'another horse', current_password: 'no' },
      400,
      'current_password_invalid',
    ],
    ['a phone number', { phone: '+15551234567' }, 400, 'phone_provider_disabled'],
    ['app_metadata', { app_metadata: { role: 'admin' } }, 403, 'not_admin'],
    ['data that is not an object', { data: ['a'] }, 400, 'validation_failed'],
  ])('cannot set %s', async (_what, body, status, error_code) => {
    const { session } = await signUpPerson(server);
    const answer = await call(server, 'PUT', 'user', { token: session.access_token, body });
    expect(answer).toMatchObject({ status, body: { error_code } });
  });

  it('needs the second factor they have to change credentials', async () => {
    const { client, id } = await signUpPerson(server);
    await server.project.database.query(
      `insert into auth.mfa_factors (id, user_id, factor_type, status, created_at, updated_at, secret)
       values (gen_random_uuid(), $1, 'totp', 'verified', now(), now(), 'secret')`,
      [id],
    );
    const { error } = await client.auth.updateUser({ password: 'another horse' });
    expect(error).toMatchObject({ status: 401, code: 'insufficient_aal' });
    const { data } = await client.auth.getUser();
    expect(data.user!.factors).toEqual([expect.not.objectContaining({ secret: expect.anything() })]);
  });

  it('is not answered any more once banned or deleted', async () => {
    const { session, id } = await signUpPerson(server);
    const read = () => call(server, 'GET', 'user', { token: session.access_token });
    await server.project.database.query(`update auth.users set banned_until = 'infinity' where id = $1`, [
      id,
    ]);
    expect(await read()).toMatchObject({ status: 403, body: { error_code: 'user_banned' } });
    await server.project.database.query('delete from auth.users where id = $1', [id]);
    expect(await read()).toMatchObject({ status: 403, body: { error_code: 'user_not_found' } });
  });
});

describe('signing out', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ modules: [AuthModule] });
  });
  afterAll(() => server.close());

  it.each([
    ['local', false, true],
    ['others', true, false],
    ['global', false, false],
  ] as const)('with scope %s ends the right sessions', async (scope, hereLives, thereLives) => {
    const here = await signUpPerson(server);
    const there = await signInAgain(server, here);
    const { error } = await here.client.auth.signOut({ scope });
    expect(error).toBeNull();
    const lives = async (token: string) =>
      (await call(server, 'GET', 'user', { token })).body['error_code'] !== 'session_not_found';
    expect(await lives(here.session.access_token)).toBe(hereLives);
    expect(await lives(there.session.access_token)).toBe(thereLives);
  });

  it('makes the SDK forget the session at its next question', async () => {
    const here = await signUpPerson(server);
    const there = await signInAgain(server, here);
    await here.client.auth.signOut();
    const { error } = await there.client.auth.getUser();
    expect(error).toMatchObject({ name: 'AuthSessionMissingError' });
    expect((await there.client.auth.getSession()).data.session).toBeNull();
    const refreshed = await server.client().auth.refreshSession(there.session);
    expect(refreshed.error).toMatchObject({ code: 'refresh_token_not_found' });
  });

  it('refuses an unknown scope and a token whose session is over', async () => {
    const { session } = await signUpPerson(server);
    const token = session.access_token;
    expect(await call(server, 'POST', 'logout?scope=galaxy', { token })).toMatchObject({
      status: 400,
      body: { error_code: 'validation_failed' },
    });
    expect((await call(server, 'POST', 'logout', { token })).status).toBe(204);
    expect(await call(server, 'POST', 'logout', { token })).toMatchObject({
      status: 403,
      body: { code: 403, error_code: 'session_not_found' },
    });
  });
});
