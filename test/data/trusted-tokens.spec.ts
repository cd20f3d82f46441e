import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createClient } from '@supabase/supabase-js';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose';
import { WebSocket } from 'undici';
import type { TestServer } from '../support/server.js';
import { startCinema } from './cinema.js';

const ann = '00000000-0000-4000-8000-00000000000a';

let server: TestServer;
let privateKey: CryptoKey;

beforeAll(async () => {
  const pair = await generateKeyPair('RS256');
  ({ privateKey } = pair);
  server = await startCinema({
    JWT_JWKS: JSON.stringify({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'idp' }] }),
  });
  await server.project.database.query('insert into notes (owner, body) values ($1, $2)', [ann, 'mine']);
});
afterAll(() => server.close());

const notesOf = (accessToken: () => Promise<string>) =>
  createClient(server.url, server.keys.publishableKey, {
    accessToken,
    // Node.js 20 has no WebSocket of its own, and the SDK will not start without one.
    realtime: { transport: WebSocket as never },
  })
    .from('notes')
    .select('body');
const signed = (claims: object, key = privateKey) =>
  new SignJWT({ ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: 'idp' })
    .setExpirationTime('1m')
    .sign(key);

describe('tokens of an identity provider whose keys JWT_JWKS names', () => {
  it('act as the person and role that they name, under row-level security', async () => {
    const person = { role: 'authenticated', sub: ann };
    expect((await notesOf(() => signed(person))).data).toEqual([{ body: 'mine' }]);
    const somebody = { role: 'authenticated', sub: '00000000-0000-4000-8000-00000000000b' };
    expect((await notesOf(() => signed(somebody))).data).toEqual([]);
  });

  it('cannot claim to be of a function, or to stand for a key', async () => {
    const claims = { role: 'authenticated', sub: ann, galley_key: true, galley_function: { rpc: [] } };
    expect((await notesOf(() => signed(claims))).data).toEqual([{ body: 'mine' }]);
    expect(await server.project.tokens.verify(await signed(claims))).not.toHaveProperty('galley_key');
  });

  it('are refused when somebody else signed them, or when their role is none of callers', async () => {
    const other = await generateKeyPair('RS256');
    const forged = await notesOf(() => signed({ role: 'service_role' }, other.privateKey));
    expect([forged.status, forged.error?.code]).toEqual([401, 'PGRST301']);
    const platform = await notesOf(() => signed({ role: 'postgres' }));
    expect([platform.data, platform.error?.code]).toEqual([null, '42501']);
  });
});
