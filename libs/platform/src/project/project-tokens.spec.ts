import { describe, expect, it } from '@jest/globals';
import { createLocalJWKSet, jwtVerify, SignJWT, type JSONWebKeySet } from 'jose';
import { limits } from '../limits.js';
import { ProjectTokens } from './project-tokens.js';

const secret = 'a secret of at least thirty-two characters';
const tokens = new ProjectTokens(secret);
const codeOf = (token: string) =>
  tokens.verify(token).then(
    () => 'good',
    (error: { code: string }) => error.code,
  );
const signWith = (key: string, alg = 'HS256') =>
  new SignJWT({ role: 'service_role' }).setProtectedHeader({ alg }).sign(Buffer.from(key));

describe("a project's token", () => {
  it('is good when the project signed it', async () => {
    const claims = await tokens.verify(tokens.sign({ role: 'authenticated', sub: 'ann' }, 60));
    expect(claims).toMatchObject({ role: 'authenticated', sub: 'ann' });
  });

  it('of a person is good, and can be verified by anybody with the public keys alone', async () => {
    const token = tokens.signForPerson({ role: 'authenticated', sub: 'ann' }, 60);
    expect(await tokens.verify(token)).toMatchObject({ sub: 'ann' });
    const keys = createLocalJWKSet(JSON.parse(JSON.stringify(tokens.jwks)) as JSONWebKeySet);
    const { payload, protectedHeader } = await jwtVerify(token, keys);
    expect([payload.sub, protectedHeader.alg]).toEqual(['ann', 'ES256']);
    expect(JSON.stringify(tokens.jwks)).not.toContain('"d"');
  });

  it('of a person of another project is refused, and so is the public key used as a secret', async () => {
    const other = new ProjectTokens('another secret that is long enough to be one');
    expect(await codeOf(other.signForPerson({ role: 'authenticated' }, 60))).toBe('token_bad_signature');
    expect(new ProjectTokens(secret).jwks).toEqual(tokens.jwks);
    expect(await codeOf(await signWith(JSON.stringify(tokens.jwks.keys[0])))).toBe('token_bad_signature');
  });

  it('of a person is signed with the secret where the operator gave it, as whoever verifies with that expects', async () => {
    const token = new ProjectTokens(secret, true).signForPerson({ sub: 'ann' }, 60);
    const { payload, protectedHeader } = await jwtVerify(token, Buffer.from(secret));
    expect([payload.sub, protectedHeader.alg]).toEqual(['ann', 'HS256']);
    expect(await tokens.verify(token)).toMatchObject({ sub: 'ann' });
  });

  it('is refused after its time, also when it was seen before', async () => {
    const expired = tokens.sign({ role: 'anon' }, -1);
    expect(await codeOf(expired)).toBe('token_expired');
    const shortLived = tokens.sign({ role: 'anon' }, 1);
    expect(await codeOf(shortLived)).toBe('good');
    const realNow = Date.now;
    Date.now = () => realNow() + 2_000;
    try {
      expect(await codeOf(shortLived)).toBe('token_expired');
    } finally {
      Date.now = realNow;
    }
  });

  it.each(['exp', 'nbf', 'iat'])('is refused when its %s is no number', async (claim) => {
    const token = await new SignJWT({ [claim]: 'soon' } as Record<string, unknown>)
      .setProtectedHeader({ alg: 'HS256' })
      .sign(Buffer.from(secret));
    await expect(tokens.verify(token)).rejects.toMatchObject({
      code: 'token_claim_invalid',
      message: `The JWT '${claim}' claim must be a number`,
    });
  });

  it('is refused when another secret signed it', async () => {
    expect(await codeOf(await signWith('another secret that is long enough to be one'))).toBe(
      'token_bad_signature',
    );
  });

  it('is refused with another algorithm, and without one', async () => {
    expect(
      await codeOf(await signWith('another secret that is long enough to be one'.repeat(2), 'HS512')),
    ).toBe('token_algorithm_unsupported');
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    expect(await codeOf(`${encode({ alg: 'none' })}.${encode({ role: 'service_role' })}.`)).toBe(
      'token_algorithm_unsupported',
    );
  });

  it.each(['', 'x', 'a.b', 'a.b.c', 'eyJhbGciOiJIUzI1NiJ9.e30'])(
    'is refused when it is no token: %j',
    async (text) => {
      expect(await codeOf(text)).toBe('token_malformed');
    },
  );

  it('is verified again and again when it is too long to be remembered', async () => {
    const long = tokens.sign({ role: 'anon', text: 'x'.repeat(limits.rememberedTokenBytes) }, 60);
    expect(await tokens.verify(long)).not.toBe(await tokens.verify(long));
    const short = tokens.sign({ role: 'anon' }, 60);
    expect(await tokens.verify(short)).toBe(await tokens.verify(short));
  });
});
