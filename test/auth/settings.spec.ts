import { afterEach, describe, expect, it } from '@jest/globals';
import { AuthModule } from '#libs/auth';
import { startTestServer, type TestServer } from '../support/server.js';
import { newEmail, password, signUpPerson } from './people.js';

describe('a setting of auth', () => {
  let server: TestServer;
  afterEach(() => server.close());

  it('JWT_EXPIRY bounds the life of an access token', async () => {
    server = await startTestServer({ modules: [AuthModule], environment: { JWT_EXPIRY: '90' } });
    const { session } = await signUpPerson(server);
    expect(session.expires_in).toBe(90);
    const { exp, iat } = JSON.parse(
      Buffer.from(session.access_token.split('.')[1]!, 'base64url').toString(),
    ) as { exp: number; iat: number };
    expect(exp - iat).toBe(90);
  });

  it.each([
    ['none', '192.0.2.1', '127.0.0.1'],
    ['127.0.0.0/8', '192.0.2.1', '192.0.2.1'],
  ])('TRUSTED_PROXIES %s tells whose address a request counts for', async (proxies, forwarded, counted) => {
    server = await startTestServer({
      modules: [AuthModule],
      environment: { TRUSTED_PROXIES: proxies === 'none' ? '198.51.100.1' : proxies },
    });
    await fetch(`${server.url}/auth/v1/signup`, {
      method: 'POST',
      headers: {
        apikey: server.keys.publishableKey,
        'content-type': 'application/json',
        'x-forwarded-for': forwarded,
      },
      body: JSON.stringify({ email: newEmail(), password }),
    });
    const { rows } = await server.project.database.query(
      'select host(ip) as ip from auth.sessions order by created_at desc limit 1',
    );
    expect(rows).toEqual([{ ip: counted }]);
  });
});
