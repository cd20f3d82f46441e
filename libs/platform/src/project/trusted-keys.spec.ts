import { describe, expect, it } from '@jest/globals';
import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import { ProjectTokens } from './project-tokens.js';
import { parseTrustedKeys } from './trusted-keys.js';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const ed25519 = generateKeyPairSync('ed25519');
const jwk = (key: KeyObject, more: object = {}) => ({ ...key.export({ format: 'jwk' }), ...more });
const shared = randomBytes(32);

const secret = 'a secret of at least thirty-two characters';
const tokensWith = (...keys: object[]) =>
  new ProjectTokens(secret, false, parseTrustedKeys(JSON.stringify({ keys })));
const signed = (alg: string, key: KeyObject | Uint8Array, kid?: string, claims: object = {}) =>
  new SignJWT({ role: 'authenticated', sub: 'ann', ...claims })
    .setProtectedHeader({ alg, ...(kid && { kid }) })
    .sign(key);
const codeOf = (tokens: ProjectTokens, token: string) =>
  tokens.verify(token).then(
    (claims) => claims['sub'],
    (error: { code: string }) => error.code,
  );

describe('tokens that others sign', () => {
  it.each([
    ['RS256', rsa.privateKey, jwk(rsa.publicKey)],
    ['PS512', rsa.privateKey, jwk(rsa.publicKey)],
    ['ES384', p384.privateKey, jwk(p384.publicKey)],
    ['EdDSA', ed25519.privateKey, jwk(ed25519.publicKey)],
    ['HS256', shared, { kty: 'oct', k: shared.toString('base64url') }],
  ])('are good with %s by a key of the set, and beside it our own stay good', async (alg, key, trusted) => {
    const tokens = tokensWith(jwk(ed25519.publicKey, { kid: 'another' }), trusted);
    expect(await codeOf(tokens, await signed(alg, key))).toBe('ann');
    expect(await codeOf(tokens, tokens.sign({ sub: 'bob' }, 60))).toBe('bob');
    expect(await codeOf(tokens, tokens.signForPerson({ sub: 'cy' }, 60))).toBe('cy');
  });

  it('are refused by a key that is not in the set, or not of the name that they give', async () => {
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const tokens = tokensWith(jwk(rsa.publicKey, { kid: 'one' }));
    expect(await codeOf(tokens, await signed('RS256', other.privateKey))).toBe('token_algorithm_unsupported');
    expect(await codeOf(tokens, await signed('RS256', rsa.privateKey, 'two'))).toBe(
      'token_algorithm_unsupported',
    );
    expect(await codeOf(tokens, await signed('RS256', rsa.privateKey, 'one'))).toBe('ann');
  });

  it('are refused with another algorithm than the key is for', async () => {
    const tokens = tokensWith(jwk(rsa.publicKey, { alg: 'RS512' }));
    expect(await codeOf(tokens, await signed('RS256', rsa.privateKey))).toBe('token_algorithm_unsupported');
    expect(await codeOf(tokens, await signed('RS512', rsa.privateKey))).toBe('ann');
  });

  it('are refused when a public key was used as a secret', async () => {
    const tokens = tokensWith(jwk(rsa.publicKey));
    const pem = Buffer.from(rsa.publicKey.export({ format: 'pem', type: 'spki' }));
    expect(await codeOf(tokens, await signed('HS256', pem))).toBe('token_bad_signature');
  });

  it('are refused after their time', async () => {
    const tokens = tokensWith(jwk(rsa.publicKey));
    const token = await signed('RS256', rsa.privateKey, undefined, { exp: 1 });
    expect(await codeOf(tokens, token)).toBe('token_expired');
  });
});

describe('a set of trusted keys', () => {
  it('may be one key alone, of which a private half is not kept', () => {
    const [key] = parseTrustedKeys(JSON.stringify(jwk(rsa.privateKey)));
    expect(key!.key.type).toBe('public');
  });

  it.each([
    ['an algorithm that is not of its kind', jwk(rsa.publicKey, { alg: 'ES256' }), /expected one of RS256/],
    ['a curve that nobody signs with', { kty: 'EC', crv: 'secp256k1', x: 'a', y: 'b' }, /usual curves/],
    ['a secret that is too short', { kty: 'oct', k: 'c2hvcnQ' }, /key 1: expected/],
    ['no key', { keys: [{ kty: 'RSA' }] }, /./],
  ])('is refused for %s', (_, key, message) => {
    expect(() => parseTrustedKeys(JSON.stringify(key))).toThrow(message);
  });
});
