import { createPublicKey, createSecretKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { decodeProtectedHeader, jwtVerify, type JWTPayload } from 'jose';
import { z } from 'zod';

/** A key that somebody else signs tokens with, which are good here too. */
export interface TrustedKey {
  readonly key: KeyObject;
  readonly kid: string | undefined;
  readonly algorithms: readonly string[];
}

const mostKeys = 100;

const jwkSchema = z.looseObject({
  kty: z.enum(['RSA', 'EC', 'OKP', 'oct']),
  kid: z.string().optional(),
  alg: z.string().optional(),
  crv: z.string().optional(),
  k: z.string().optional(),
});
type Jwk = z.infer<typeof jwkSchema>;

const jwksSchema = z.union([z.object({ keys: z.array(jwkSchema).max(mostKeys) }), jwkSchema]);

/**
 * Reads a JSON Web Key or a set of them (RFC 7517). Of private keys the public half is kept.
 * @throws Error that says what is wrong with which key
 */
export function parseTrustedKeys(text: string): TrustedKey[] {
  const parsed = jwksSchema.parse(JSON.parse(text));
  const keys = 'keys' in parsed ? (parsed.keys as Jwk[]) : [parsed];
  return keys.map((jwk, i) => {
    const possible = algorithmsOf(jwk);
    const algorithms = jwk.alg === undefined ? possible : possible.filter((name) => name === jwk.alg);
    if (algorithms.length === 0) {
      throw new Error(`key ${i + 1}: expected one of ${possible.join(', ') || 'the usual curves'}`);
    }
    return { key: keyObjectOf(jwk), kid: jwk.kid, algorithms };
  });
}

/**
 * The claims of `token` if one of `keys` signed it (RFC 7515 §5.2); undefined: none did. Keys of another `kid` than the
 * token names are not tried.
 * @throws of jose for a good signature under claims that are not
 */
export async function verifyWithTrusted(
  token: string,
  keys: readonly TrustedKey[],
): Promise<JWTPayload | undefined> {
  const { alg, kid } = decodeProtectedHeader(token);
  const candidates = keys.filter(
    (key) => key.algorithms.includes(alg ?? '') && (!kid || !key.kid || key.kid === kid),
  );
  for (const { key, algorithms } of candidates) {
    try {
      const { payload } = await jwtVerify(token, key, { algorithms: [...algorithms] });
      return payload;
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED') throw error;
    }
  }
  return undefined;
}

// RFC 7518 §3.1 and RFC 8037 §3.1. A shared secret has to be as long as the hash is (RFC 7518 §3.2).
function algorithmsOf({ kty, crv, k }: Jwk): string[] {
  switch (kty) {
    case 'RSA':
      return ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
    case 'EC':
      return { 'P-256': ['ES256'], 'P-384': ['ES384'], 'P-521': ['ES512'] }[crv ?? ''] ?? [];
    case 'OKP':
      return crv === 'Ed25519' ? ['EdDSA'] : [];
    case 'oct': {
      const bits = 8 * Buffer.from(k ?? '', 'base64url').length;
      return [256, 384, 512].filter((size) => bits >= size).map((size) => `HS${size}`);
    }
  }
}

function keyObjectOf(jwk: Jwk): KeyObject {
  if (jwk.kty === 'oct') return createSecretKey(jwk.k ?? '', 'base64url');
  return createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
}
