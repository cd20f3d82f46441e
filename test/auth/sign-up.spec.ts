import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeJwt } from 'jose';
import { AuthModule } from '#libs/auth';
import { startTestServer, type TestServer } from '../support/server.js';
import { call, newEmail, password, signUpPerson } from './people.js';

describe('signing up', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ modules: [AuthModule] });
  });
  afterAll(() => server.close());

  it('gives a confirmed account and a session at once', async () => {
    const email = newEmail();
    const { data, error } = await server.client().auth.signUp({
      email: email.toUpperCase(),
      password,
      options: { data: { name: 'Ada', tags: ['a', 'b'] } },
    });
    expect(error).toBeNull();
    expect(data.user).toMatchObject({
      aud: 'authenticated',
      role: 'authenticated',
      email,
      phone: '',
      app_metadata: { provider: 'email', providers: ['email'] },
      is_anonymous: false,
    });
    expect(data.user!.user_metadata).toEqual({
      name: 'Ada',
      tags: ['a', 'b'],
      email,
      email_verified: true,
      phone_verified: false,
      sub: data.user!.id,
    });
    expect(Date.parse(data.user!.email_confirmed_at!)).not.toBeNaN();
    expect(data.user!.identities).toHaveLength(1);
    expect(data.user!.identities![0]).toMatchObject({
      id: data.user!.id,
      user_id: data.user!.id,
      provider: 'email',
      identity_data: { email, sub: data.user!.id, name: 'Ada' },
    });
    expect(data.session).toMatchObject({ token_type: 'bearer', expires_in: 3600 });
  });

  it('puts the claims that policies rely on into the access token', async () => {
    const { session, id, email } = await signUpPerson(server);
    const claims = decodeJwt(session.access_token);
    const { rows } = await server.project.database.query('select id from auth.sessions where user_id = $1', [
      id,
    ]);
    expect(claims).toEqual({
      iss: `${server.project.apiUrl}/auth/v1`,
      sub: id,
      aud: 'authenticated',
      email,
      phone: '',
      app_metadata: { provider: 'email', providers: ['email'] },
      user_metadata: { sub: id, email, email_verified: true, phone_verified: false },
      role: 'authenticated',
      aal: 'aal1',
      amr: [{ method: 'password', timestamp: expect.any(Number) }],
      session_id: rows[0]!['id'],
      is_anonymous: false,
      iat: expect.any(Number),
      exp: session.expires_at,
    });
    expect(claims.exp! - claims.iat!).toBe(3600);
  });

  it('appends user.created without secrets in the same transaction', async () => {
    const { id, email } = await signUpPerson(server);
    const { rows } = await server.project.database.query<{ payload: { record: Record<string, unknown> } }>(
      `select payload from galley.outbox where name = 'user.created' and payload #>> '{record,id}' = $1`,
      [id],
    );
    expect(rows).toHaveLength(1);
    const { record } = rows[0]!.payload;
    expect(record).toMatchObject({
      id,
      email,
      raw_app_meta_data: { provider: 'email' },
      is_anonymous: false,
    });
    expect(Object.keys(record).filter((column) => /password|_token/.test(column))).toEqual([]);
  });

  it('refuses an address that has an account, in whatever case', async () => {
    const { email } = await signUpPerson(server);
    const { error } = await server.client().auth.signUp({ email: email.toUpperCase(), password });
    expect(error).toMatchObject({ status: 422, code: 'user_already_exists' });
  });

  it('makes one account of two sign-ups at once', async () => {
    const email = newEmail();
    const attempts = await Promise.all([1, 2, 3].map(() => server.client().auth.signUp({ email, password })));
    const codes = attempts.map(({ error }) => error?.code ?? 'ok').toSorted();
    expect(codes).toEqual(['ok', 'user_already_exists', 'user_already_exists']);
  });

  it.each([
    ['a short password', { email: newEmail(), password: 'short' }, 422, 'weak_password'],
    [
      'a password bcrypt would cut',
      { email: newEmail(), password: 'ü'.repeat(37) },
      400,
      'validation_failed',
    ],
    ['what is not an address', { email: 'not an address', password }, 400, 'validation_failed'],
    ['a phone number', { phone: '+15551234567', password }, 400, 'phone_provider_disabled'],
  ])('refuses %s', async (_what, credentials, status, code) => {
    const { error } = await server.client().auth.signUp(credentials);
    expect(error).toMatchObject({ status, code });
  });

  it('tells why a password is weak', async () => {
    const { error } = await server.client().auth.signUp({ email: newEmail(), password: 'short' });
    expect(error).toMatchObject({ name: 'AuthWeakPasswordError', reasons: ['length'] });
  });

  it('refuses anonymous people', async () => {
    const { error } = await server.client().auth.signInAnonymously();
    expect(error).toMatchObject({ status: 422, code: 'anonymous_provider_disabled' });
  });

  it('refuses user_metadata that no header could carry, or that PostgreSQL cannot store', async () => {
    const tooLarge = { text: 'x'.repeat(17 * 1024) };
    const unstorable = { text: 'a\0b' };
    for (const data of [tooLarge, unstorable]) {
      const { error } = await server.client().auth.signUp({ email: newEmail(), password, options: { data } });
      expect(error).toMatchObject({ status: 400, code: 'validation_failed' });
    }
  });
});

describe('user_metadata that nests', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ modules: [AuthModule] });
  });
  afterAll(() => server.close());

  it.each([
    [100, 200],
    [101, 400],
    [7000, 400],
  ])('%i levels deep is answered with %i', async (levels, status) => {
    const nested = `${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}`;
    const given = `"data":{"a":${nested}}`;
    const refusal = { error_code: 'validation_failed', msg: 'data: may nest 100 levels deep' };
    const signUp = `{"email":"${newEmail()}","password":"${password}",${given}}`;
    const signedUp = await call(server, 'POST', 'signup', { body: signUp });
    expect(signedUp).toMatchObject({ status, body: status === 200 ? {} : refusal });
    const token = (await signUpPerson(server)).session.access_token;
    const updated = await call(server, 'PUT', 'user', { token, body: `{${given}}` });
    expect(updated).toMatchObject({ status, body: status === 200 ? {} : refusal });
  });
});

describe('signing up where apps hang triggers on auth.users', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ modules: [AuthModule], environment: { LOG_LEVEL: 'fatal' } });
    await server.project.database.query(`
      create table public.profiles (id uuid primary key references auth.users on delete cascade, name text not null);
      create function public.handle_new_user() returns trigger language plpgsql security definer set search_path = '' as $$
      begin
        if new.raw_user_meta_data ->> 'name' = 'nobody' then raise exception 'go away'; end if;
        insert into public.profiles (id, name) values (new.id, new.raw_user_meta_data ->> 'name');
        return new;
      end $$;
      create trigger on_auth_user_created after insert on auth.users
        for each row execute procedure public.handle_new_user();`);
  });
  afterAll(() => server.close());

  it('commits what the trigger writes with the account', async () => {
    const { data } = await server
      .client()
      .auth.signUp({ email: newEmail(), password, options: { data: { name: 'Ada' } } });
    const { rows } = await server.project.database.query('select * from public.profiles');
    expect(rows).toEqual([{ id: data.user!.id, name: 'Ada' }]);
  });

  it('asks to try again when PostgreSQL goes down on the way', async () => {
    await server.project.database.query(
      `create function public.crash() returns trigger language plpgsql security definer as
         $$ begin perform pg_terminate_backend(pg_backend_pid()); return new; end $$;
       create trigger crash before insert on auth.users for each row
         when (new.raw_user_meta_data ->> 'name' = 'crash') execute function public.crash()`,
    );
    const body = { email: newEmail(), password, data: { name: 'crash' } };
    const answer = await call(server, 'POST', 'signup', { body });
    expect(answer).toMatchObject({
      status: 503,
      body: { code: 503, msg: 'Database connection error, please try again later' },
    });
    expect(answer.headers.get('retry-after')).toBe('1');
  });

  it.each([
    ['raises', { name: 'nobody' }],
    ['breaks a constraint', {}],
  ])('makes no account when the trigger %s', async (_what, data) => {
    const email = newEmail();
    const { error } = await server.client().auth.signUp({ email, password, options: { data } });
    expect(error).toMatchObject({ status: 422, message: 'Database error saving new user' });
    const { rows } = await server.project.database.query(
      `select id::text from auth.users where email = $1
       union all select id::text from galley.outbox where payload #>> '{record,email}' = $1`,
      [email],
    );
    expect(rows).toEqual([]);
  });
});

describe('signing up where it is switched off', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ modules: [AuthModule], environment: { DISABLE_SIGNUP: 'true' } });
  });
  afterAll(() => server.close());

  it('is refused', async () => {
    const { error } = await server.client().auth.signUp({ email: newEmail(), password });
    expect(error).toMatchObject({ status: 422, code: 'signup_disabled' });
  });
});
