import { createHmac, createSecretKey, sign, type KeyObject } from 'node:crypto';
import { errors, jwtVerify } from 'jose';
import { AppError } from '../errors/app-error.js';
import { limits } from '../limits.js';
import { deriveSigningKey, type SigningKey } from './signing-key.js';
import { verifyWithTrusted, type TrustedKey } from './trusted-keys.js';

const hs256Header = encoded({ alg: 'HS256', typ: 'JWT' });

/**
 * Signs and verifies a project's tokens. Those that only we need to verify are signed with the project's secret
 * (HS256); those of people with a key pair (ES256), since the functions that they call verify them too and must not
 * hold the secret, by which they could sign anything.
 */
export class ProjectTokens {
  /** A key object: its import into WebCrypto is remembered, and not done again for each token. */
  readonly #secret: KeyObject;
  readonly #key: SigningKey;
  readonly #es256Header: string;
  /** token → claims of tokens whose signature was good; the oldest goes first. */
  readonly #verified = new Map<string, Record<string, unknown>>();
  #verifiedBytes = 0;

  /**
   * @param isShared the operator chose the secret, so that others verify people's tokens with it: they get no key pair's,
   *   of which those would know nothing
   * @param trusted keys of others, whose tokens are good as well
   */
  constructor(
    jwtSecret: string,
    private readonly isShared = false,
    private readonly trusted: readonly TrustedKey[] = [],
  ) {
    this.#secret = createSecretKey(jwtSecret, 'utf8');
    this.#key = deriveSigningKey(jwtSecret);
    this.#es256Header = encoded({ alg: 'ES256', typ: 'JWT', kid: this.#key.publicJwk.kid });
  }

  /** The JSON Web Key Set (RFC 7517 §5) that people's tokens are verified with. */
  get jwks(): { keys: readonly object[] } {
    return { keys: [this.#key.publicJwk] };
  }

  /**
   * Signs `claims`, adding `iat` and `exp` (JWS compact serialization with HS256, RFC 7515 §3.1 and RFC 7518 §3.2).
   * Synchronous, unlike jose's: every invocation of a function gets a token, and a trip to the thread pool costs more
   * than the hash.
   */
  sign(claims: Record<string, unknown>, lifetimeSeconds: number): string {
    const signed = `${hs256Header}.${payloadOf(claims, lifetimeSeconds)}`;
    return `${signed}.${createHmac('sha256', this.#secret).update(signed).digest('base64url')}`;
  }

  /** The same for a person's session, with the key pair (RFC 7518 §3.4) unless the secret is shared. */
  signForPerson(claims: Record<string, unknown>, lifetimeSeconds: number): string {
    if (this.isShared) return this.sign(claims, lifetimeSeconds);
    const signed = `${this.#es256Header}.${payloadOf(claims, lifetimeSeconds)}`;
    const { privateKey } = this.#key;
    const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  }

  /**
   * Returns the claims of a good token.
   * @throws AppError `token_expired`, `token_malformed`, `token_claim_invalid`, `token_bad_signature`, `token_not_yet_valid` or
   *   `token_algorithm_unsupported` (401), for the protocol's filter to render.
   */
  async verify(token: string): Promise<Record<string, unknown>> {
    const known = this.#verified.get(token);
    if (known) {
      if (typeof known['exp'] === 'number' && known['exp'] <= Date.now() / 1000) {
        this.#forget(token);
        throw tokenError('token_expired', 'JWT expired');
      }
      return known;
    }
    const claims = await this.#check(token);
    this.#remember(token, claims);
    return claims;
  }

  #remember(token: string, claims: Record<string, unknown>): void {
    if (token.length > limits.rememberedTokenBytes || this.#verified.has(token)) return;
    this.#verified.set(token, claims);
    this.#verifiedBytes += token.length;
    while (this.#verifiedBytes > limits.verifiedTokenBytes) this.#forget(this.#verified.keys().next().value!);
  }

  #forget(token: string): void {
    if (this.#verified.delete(token)) this.#verifiedBytes -= token.length;
  }

  async #check(token: string): Promise<Record<string, unknown>> {
    try {
      const trusted = this.trusted.length > 0 && (await verifyWithTrusted(token, this.trusted));
      if (trusted) return withoutOwnClaims(trusted);
      const keyFor = ({ alg }: { alg?: string }) => (alg === 'ES256' ? this.#key.publicKey : this.#secret);
      const { payload } = await jwtVerify(token, keyFor, { algorithms: ['HS256', 'ES256'] });
      return payload;
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw tokenError('token_expired', 'JWT expired', error);
      if (error instanceof errors.JWTClaimValidationFailed && error.reason === 'invalid') {
        throw tokenError('token_claim_invalid', `The JWT '${error.claim}' claim must be a number`, error);
      }
      if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'nbf') {
        throw tokenError('token_not_yet_valid', 'JWT not yet valid', error);
      }
      if (error instanceof errors.JWSSignatureVerificationFailed) {
        throw tokenError('token_bad_signature', 'JWT signature verification failed', error);
      }
      if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) {
        throw tokenError(
          'token_algorithm_unsupported',
          'JWT algorithm not supported; expected HS256 or ES256',
          error,
        );
      }
      throw tokenError('token_malformed', 'JWT malformed', error);
    }
  }
}

/** What these say is believed, of a function or a key say, so they are ours alone to sign. */
function withoutOwnClaims(claims: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !name.startsWith('galley_')));
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function payloadOf(claims: Record<string, unknown>, lifetimeSeconds: number): string {
  const issuedAt = Math.floor(Date.now() / 1000);
  return encoded({ ...claims, iat: issuedAt, exp: issuedAt + lifetimeSeconds });
}

function tokenError(code: string, message: string, cause?: unknown): AppError {
  return new AppError({ code, status: 401, message, cause });
}
