import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { callerFromClaims } from '#libs/platform';
import { startTestServer, type TestServer } from '../support/server.js';

describe('a caller', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ modules: [] });
  });
  afterAll(() => server.close());

  const currentUser = 'select current_user::text as name';
  const asSystemThenAs = (role: string) =>
    server.project.database.asSystem(async (tx) => {
      const before = (await tx.query<{ name: string }>(currentUser)).rows[0]!.name;
      const own = await tx.asCaller(callerFromClaims({ role }), {}, (lowered) =>
        lowered.query<{ name: string }>(currentUser),
      );
      const after = (await tx.query<{ name: string }>(currentUser)).rows[0]!.name;
      return { before, own: own.rows[0]!.name, after };
    });

  it.each(['anon', 'authenticated', 'service_role'])(
    'has the role %s within a transaction of the platform, which has its own again afterwards',
    async (role) => {
      const { before, own, after } = await asSystemThenAs(role);
      expect(own).toBe(role);
      expect(after).toBe(before);
    },
  );

  it.each(['postgres', 'none', 'nosuch'])(
    'never gets the role %s, whatever a token says, in either kind of transaction',
    async (role) => {
      await expect(asSystemThenAs(role)).rejects.toMatchObject({ code: '42501' });
      const own = server.project.database.asCaller(callerFromClaims({ role }), {}, (tx) =>
        tx.query('select * from auth.users'),
      );
      await expect(own).rejects.toThrow();
    },
  );

  it('with a function claim that Galley never wrote is refused', () => {
    expect(() => callerFromClaims({ role: 'anon', galley_function: { invocation_id: 'x' } })).toThrow(
      expect.objectContaining({ code: 'token_malformed', status: 401 }),
    );
  });
});
