import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { AuthModule } from '#libs/auth';
import { startTestServer, type TestServer } from '../support/server.js';
import { newEmail, password, signUpPerson } from './people.js';

async function fastestMs(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return Math.min(...times);
}

describe('signing in', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ modules: [AuthModule] });
  });
  afterAll(() => server.close());

  const signIn = (email: string, secret = password) =>
    server.client().auth.signInWithPassword({ email, password: secret });

  /** Hashed by another program than the server: PostgreSQL's pgcrypto, as in many seeds. */
  async function hashOf(secret: string): Promise<string> {
    const { rows } = await server.project.database.query<{ hash: string }>(
      `select extensions.crypt($1, extensions.gen_salt('bf', 10)) as hash`,
      [secret],
    );
    return rows[0]!.hash;
  }

  /** An account as a dump or a seed brings it. */
  async function importUser(columns: {
    encrypted_password: string | null;
    email?: string;
    confirmed?: boolean;
  }) {
    const email = columns.email ?? newEmail();
    await server.project.database.query(
      `insert into auth.users (id, aud, role, email, encrypted_password, email_confirmed_at)
       values ($1, 'authenticated', 'authenticated', $2, $3, $4)`,
      [randomUUID(), email, columns.encrypted_password, columns.confirmed === false ? null : new Date()],
    );
    return email;
  }

  it('opens a session with the right password', async () => {
    const { email, id } = await signUpPerson(server);
    const { data, error } = await signIn(email.toUpperCase());
    expect(error).toBeNull();
    expect(data.user!.id).toBe(id);
    expect(data.session!.refresh_token).not.toBe('');
    const { rows } = await server.project.database.query(
      `select ip::text, user_agent, aal from auth.sessions where user_id = $1 order by created_at desc limit 1`,
      [id],
    );
    expect(rows[0]).toMatchObject({ ip: '127.0.0.1/32', aal: 'aal1' });
  });

  it('gives the same answer to a wrong password, an unknown address and an account without a password', async () => {
    const { email } = await signUpPerson(server);
    const passwordless = await importUser({ encrypted_password: null });
    const answers = await Promise.all([signIn(email, 'wrong one'), signIn(newEmail()), signIn(passwordless)]);
    for (const { error } of answers) {
      expect(error).toMatchObject({
        status: 400,
        code: 'invalid_credentials',
        message: 'Invalid login credentials',
      });
    }
  });

  it('takes as long for an unknown address as for a wrong password', async () => {
    const { email } = await signUpPerson(server);
    const wrong = await fastestMs(() => signIn(email, 'wrong one'));
    const unknown = await fastestMs(() => signIn(newEmail(), 'wrong one'));
    expect(unknown).toBeGreaterThan(wrong / 2);
    expect(unknown).toBeLessThan(wrong * 2);
  });

  it.each(['$2a$', '$2b$', '$2y$'])('accepts an imported %s hash', async (prefix) => {
    const encrypted_password = (await hashOf('12345678')).replace('$2a$', prefix);
    const email = await importUser({ encrypted_password });
    const { data, error } = await signIn(email, '12345678');
    if (error) throw error;
    expect(data.user.email).toBe(email);
    expect((await signIn(email, '12345679')).error?.code).toBe('invalid_credentials');
  });

  it('tells, but does not refuse, a password that is weak by the rules of today', async () => {
    const email = await importUser({ encrypted_password: await hashOf('1234') });
    const { data, error } = await signIn(email, '1234');
    expect(error).toBeNull();
    expect(data).toMatchObject({ session: {}, weakPassword: { reasons: ['length'] } });
  });

  it('accepts an imported address in mixed case', async () => {
    const email = await importUser({
      email: `Mixed.${newEmail()}`,
      encrypted_password: await hashOf('12345678'),
    });
    expect((await signIn(email, '12345678')).error).toBeNull();
  });

  it('tells a banned or unconfirmed person so only after the right password', async () => {
    const { email, id } = await signUpPerson(server);
    await server.project.database.query(
      `update auth.users set banned_until = now() + interval '1 h' where id = $1`,
      [id],
    );
    expect((await signIn(email)).error?.code).toBe('user_banned');
    expect((await signIn(email, 'wrong one')).error?.code).toBe('invalid_credentials');

    const encrypted_password = await hashOf('12345678');
    const unconfirmed = await importUser({ encrypted_password, confirmed: false });
    expect((await signIn(unconfirmed, '12345678')).error?.code).toBe('email_not_confirmed');
    expect((await signIn(unconfirmed, 'wrong one')).error?.code).toBe('invalid_credentials');
  });

  it('refuses phone numbers and grants that are not offered', async () => {
    const { auth } = server.client();
    const phone = await auth.signInWithPassword({ phone: '+15551234567', password });
    expect(phone.error).toMatchObject({ status: 422, code: 'phone_provider_disabled' });
    const idToken = await auth.signInWithIdToken({ provider: 'google', token: 'x' });
    expect(idToken.error).toMatchObject({ status: 400, code: 'unsupported_grant_type' });
  });
});
