import { randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';

/** Everything secret that a project's clients are checked against. Sealed at rest. */
export interface ProjectKeys {
  /** HS256 secret of legacy keys, signed URLs and function tokens; the key pair of people's tokens is derived from it. */
  readonly jwtSecret: string;
  /** Legacy keys: JWTs with role `anon` and `service_role`. */
  readonly anonKey: string;
  readonly serviceRoleKey: string;
  /** Opaque keys, `sb_publishable_…` and `sb_secret_…`. */
  readonly publishableKey: string;
  readonly secretKey: string;
}

const legacyKeyLifetimeSeconds = 10 * 365 * 24 * 3600;

/** Completes what the operator gave; what is missing is generated. */
export async function makeProjectKeys(given: Partial<ProjectKeys>): Promise<ProjectKeys> {
  const jwtSecret = given.jwtSecret ?? randomBytes(32).toString('base64url');
  return {
    jwtSecret,
    anonKey: given.anonKey ?? (await signLegacyKey(jwtSecret, 'anon')),
    serviceRoleKey: given.serviceRoleKey ?? (await signLegacyKey(jwtSecret, 'service_role')),
    publishableKey: given.publishableKey ?? `sb_publishable_${randomBytes(24).toString('base64url')}`,
    secretKey: given.secretKey ?? `sb_secret_${randomBytes(24).toString('base64url')}`,
  };
}

function signLegacyKey(jwtSecret: string, role: 'anon' | 'service_role'): Promise<string> {
  const issuedAt = Math.floor(Date.now() / 1000);
  return new SignJWT({ role, iss: 'supabase' })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + legacyKeyLifetimeSeconds)
    .sign(Buffer.from(jwtSecret));
}
