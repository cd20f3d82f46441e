import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeJwt } from 'jose';
import { AuthModule } from '#libs/auth';
import { startTestServer, type TestServer } from '../support/server.js';
import { call, signUpPerson } from './people.js';

describe('refreshing a session', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ modules: [AuthModule] });
  });
  afterAll(() => server.close());

  const refresh = (token: string) => server.client().auth.refreshSession({ refresh_token: token });

  async function refreshed(token: string): Promise<string> {
    const { data, error } = await refresh(token);
    if (error) throw error;
    return data.session!.refresh_token;
  }

  /** Lets the reuse interval of all used tokens pass. */
  const age = () =>
    server.project.database.query(
      `update auth.refresh_tokens set updated_at = updated_at - interval '11 seconds' where revoked`,
    );

  it('rotates the refresh token within the same session', async () => {
    const { session, id } = await signUpPerson(server);
    const { data } = await refresh(session.refresh_token);
    expect(data.session!.refresh_token).not.toBe(session.refresh_token);
    const [before, after] = [session, data.session!].map(({ access_token }) => decodeJwt(access_token));
    expect(after!['session_id']).toBe(before!['session_id']);
    expect(after!['amr']).toEqual(before!['amr']);
    const { rows } = await server.project.database.query(
      'select token, parent, revoked from auth.refresh_tokens where user_id = $1 order by id',
      [id],
    );
    expect(rows).toEqual([
      { token: session.refresh_token, parent: '', revoked: true },
      { token: data.session!.refresh_token, parent: session.refresh_token, revoked: false },
    ]);
  });

  it('tells the access token what has changed with the user', async () => {
    const { client, session } = await signUpPerson(server);
    await client.auth.updateUser({ data: { plan: 'pro' } });
    const { data } = await refresh(session.refresh_token);
    expect(decodeJwt(data.session!.access_token)['user_metadata']).toMatchObject({ plan: 'pro' });
  });

  it('gives one child to many refreshes at once', async () => {
    const { session, id } = await signUpPerson(server);
    const tokens = await Promise.all(Array.from({ length: 8 }, () => refreshed(session.refresh_token)));
    expect(new Set(tokens).size).toBe(1);
    const { rows } = await server.project.database.query(
      'select count(*)::int as count from auth.refresh_tokens where user_id = $1',
      [id],
    );
    expect(rows).toEqual([{ count: 2 }]);
  });

  it('gives the child again to a client that never stored it, however late', async () => {
    const { session } = await signUpPerson(server);
    const child = await refreshed(session.refresh_token);
    await age();
    expect(await refreshed(session.refresh_token)).toBe(child);
  });

  it('gives the active token to an older one that comes again within the reuse interval', async () => {
    const { session } = await signUpPerson(server);
    const grandchild = await refreshed(await refreshed(session.refresh_token));
    expect(await refreshed(session.refresh_token)).toBe(grandchild);
  });

  it('ends the whole chain when an older token comes again later', async () => {
    const { session } = await signUpPerson(server);
    const grandchild = await refreshed(await refreshed(session.refresh_token));
    await age();
    expect((await refresh(session.refresh_token)).error).toMatchObject({
      status: 400,
      code: 'refresh_token_already_used',
    });
    expect((await refresh(grandchild)).error).toMatchObject({ code: 'refresh_token_already_used' });
  });

  it('leaves the chains of other sessions alone', async () => {
    const thief = await signUpPerson(server);
    const other = await signUpPerson(server);
    await refreshed(await refreshed(thief.session.refresh_token));
    await age();
    await refresh(thief.session.refresh_token);
    expect((await refresh(other.session.refresh_token)).error).toBeNull();
  });

  it('forgets used tokens after a day', async () => {
    const { session, id } = await signUpPerson(server);
    const child = await refreshed(session.refresh_token);
    await server.project.database.query(
      `update auth.refresh_tokens set updated_at = now() - interval '25 hours' where token = $1`,
      [session.refresh_token],
    );
    await refreshed(child);
    const { rows } = await server.project.database.query(
      'select token from auth.refresh_tokens where user_id = $1 and token = $2',
      [id, session.refresh_token],
    );
    expect(rows).toEqual([]);
  });

  it('refuses an unknown token', async () => {
    expect((await refresh('nobodys')).error).toMatchObject({ status: 400, code: 'refresh_token_not_found' });
  });

  it('refuses a token without a session, and takes it away', async () => {
    const { id } = await signUpPerson(server);
    await server.project.database.query(
      `insert into auth.refresh_tokens (token, user_id, revoked, created_at, updated_at)
       values ('orphan', $1, false, now(), now())`,
      [id],
    );
    const answers = [];
    for (let i = 0; i < 2; i++) {
      const { status, body } = await call(server, 'POST', 'token?grant_type=refresh_token', {
        body: { refresh_token: 'orphan' },
      });
      answers.push([status, body['error_code']]);
    }
    expect(answers).toEqual([
      [400, 'session_not_found'],
      [400, 'refresh_token_not_found'],
    ]);
  });

  it('refuses the token of an expired session', async () => {
    const { session, id } = await signUpPerson(server);
    await server.project.database.query(
      `update auth.sessions set not_after = now() - interval '1 second' where user_id = $1`,
      [id],
    );
    expect((await refresh(session.refresh_token)).error).toMatchObject({
      status: 400,
      code: 'session_expired',
    });
  });

  it('refuses a banned person', async () => {
    const { session, id } = await signUpPerson(server);
    await server.project.database.query(`update auth.users set banned_until = 'infinity' where id = $1`, [
      id,
    ]);
    expect((await refresh(session.refresh_token)).error).toMatchObject({ status: 400, code: 'user_banned' });
  });

  it('ends in a clear answer when it meets a sign-out', async () => {
    const { session, client } = await signUpPerson(server);
    const [answer] = await Promise.all([
      call(server, 'POST', 'token?grant_type=refresh_token', {
        body: { refresh_token: session.refresh_token },
      }),
      client.auth.signOut(),
    ]);
    expect([200, 400]).toContain(answer.status);
    const late = await refresh(session.refresh_token);
    expect(late.error).toMatchObject({ status: 400, code: 'refresh_token_not_found' });
  });
});
