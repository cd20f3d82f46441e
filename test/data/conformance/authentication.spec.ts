import { beforeAll, describe, expect, it } from '@jest/globals';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { ask, withLibrary } from './library.js';

const { server } = withLibrary({ PGRST_DB_ANON_ROLE: 'anon' });

beforeAll(async () => {
  await server().project.database.query(`create function me() returns text language sql stable as
    $$ select current_user || coalesce(' ' || (current_setting('request.jwt.claims', true)::json->>'sub'), '') $$`);
});

const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Whole, unlike what the project itself signs: with any times, and any header. */
function tokenOf(claims: object, header: object = { alg: 'HS256', typ: 'JWT' }): string {
  const signed = `${encoded(header)}.${encoded(claims)}`;
  const mac = createHmac('sha256', server().keys.jwtSecret).update(signed).digest('base64url');
  return `${signed}.${mac}`;
}

/** Status and body of the answer to a request with that token. */
async function meWith(token: string, scheme = 'Bearer') {
  const { status, body } = await ask(server(), 'rpc/me', {
    headers: { authorization: `${scheme} ${token}` },
  });
  return { status, body };
}

const refused = (code: string, message: string) => ({ status: 401, body: { code, message } });
const fromNow = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;

describe('a token', () => {
  it('makes its role the role of the request, and its claims are told to SQL', async () => {
    const token = tokenOf({ role: 'authenticated', sub: 'ann' });
    expect(await meWith(token)).toEqual({ status: 200, body: 'authenticated ann' });
  });

  it('may come after bearer in small letters', async () => {
    expect(await meWith(tokenOf({ role: 'authenticated' }), 'bearer')).toEqual({
      status: 200,
      body: 'authenticated',
    });
  });

  it('without a role is anonymous', async () => {
    expect(await meWith(tokenOf({ sub: 'ann' }))).toEqual({ status: 200, body: 'anon ann' });
  });

  it('for a role that nobody may become is refused by PostgreSQL', async () => {
    expect(await meWith(tokenOf({ role: 'postgres' }))).toMatchObject({
      status: 403,
      body: { code: '42501', message: 'permission denied to set role "postgres"' },
    });
    expect(await meWith(tokenOf({ role: 'nobody' }))).toMatchObject({
      status: 401,
      body: { code: '22023', message: 'role "nobody" does not exist' },
    });
  });

  it.each([
    ['exp', -60, 'JWT expired'],
    ['nbf', 60, 'JWT not yet valid'],
    ['iat', 60, 'JWT issued at future'],
  ])('is refused for an %s that is wrong by a minute', async (claim, seconds, message) => {
    expect(await meWith(tokenOf({ role: 'anon', [claim]: fromNow(seconds) }))).toMatchObject(
      refused('PGRST303', message),
    );
  });

  it('is good though its iat is wrong by ten seconds', async () => {
    expect(await meWith(tokenOf({ role: 'anon', iat: fromNow(10) }))).toMatchObject({ status: 200 });
  });

  it('is refused from the second on at which it expires', async () => {
    expect(await meWith(tokenOf({ role: 'anon', exp: fromNow(-1) }))).toMatchObject(
      refused('PGRST303', 'JWT expired'),
    );
  });
});

describe('a signature', () => {
  it('is verified with the secret, or with the project’s own key pair', async () => {
    const person = server().project.tokens.signForPerson({ role: 'authenticated' }, 60);
    expect(JSON.parse(Buffer.from(person.split('.')[0]!, 'base64url').toString())).toMatchObject({
      alg: 'ES256',
    });
    expect(await meWith(person)).toEqual({ status: 200, body: 'authenticated' });
  });

  it('of another secret is refused', async () => {
    const other = `${tokenOf({ role: 'authenticated' }).slice(0, -6)}AAAAAA`;
    expect(await meWith(other)).toMatchObject(refused('PGRST301', 'No suitable key or wrong key type'));
  });

  it('with RSA is refused where no such key is trusted, as is none at all', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const signed = `${encoded({ alg: 'RS256', typ: 'JWT' })}.${encoded({ role: 'authenticated' })}`;
    const rsa = `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`;
    expect(await meWith(rsa)).toMatchObject(refused('PGRST301', 'No suitable key or wrong key type'));
    const unsigned = `${encoded({ alg: 'none' })}.${encoded({ role: 'authenticated' })}.`;
    expect(await meWith(unsigned)).toMatchObject(
      refused('PGRST301', 'Wrong or unsupported encoding algorithm'),
    );
  });

  it('is looked at whatever key id it names', async () => {
    const token = tokenOf({ role: 'anon' }, { alg: 'HS256', typ: 'JWT', kid: 'another' });
    expect(await meWith(token)).toMatchObject({ status: 200 });
  });
});
