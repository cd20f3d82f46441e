import {
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';

export interface SigningKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** As a JWKS holds it; `kid` is the beginning of its thumbprint (RFC 7638). */
  readonly publicJwk: { readonly kid: string } & Readonly<Record<string, unknown>>;
}

/**
 * The P-256 key pair that belongs to a project's secret: whoever has the one has the other, so there is nothing more to
 * keep, and servers that share the secret share the key.
 */
export function deriveSigningKey(jwtSecret: string): SigningKey {
  const ecdh = createECDH('prime256v1');
  for (let attempt = 0; ; attempt++) {
    const scalar = hkdfSync('sha256', jwtSecret, '', `galley people's tokens ES256 ${attempt}`, 32);
    try {
      ecdh.setPrivateKey(Buffer.from(scalar));
      break;
    } catch {
      // Not below the order of the curve: one in four thousand million is not.
    }
  }
  const point = ecdh.getPublicKey();
  const coordinates = { x: base64url(point.subarray(1, 33)), y: base64url(point.subarray(33)) };
  const jwk = { crv: 'P-256', kty: 'EC', ...coordinates };
  const kid = base64url(createHash('sha256').update(JSON.stringify(jwk)).digest()).slice(0, 22);
  return {
    privateKey: createPrivateKey({ key: { ...jwk, d: base64url(ecdh.getPrivateKey()) }, format: 'jwk' }),
    publicKey: createPublicKey({ key: jwk, format: 'jwk' }),
    publicJwk: { ...jwk, kid, alg: 'ES256', use: 'sig', key_ops: ['verify'] },
  };
}

function base64url(bytes: Buffer): string {
  return bytes.toString('base64url');
}
