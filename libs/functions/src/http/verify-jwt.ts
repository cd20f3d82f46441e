import type { FastifyRequest } from 'fastify';
import { unauthorized, unauthorizedFrom } from './function-errors.js';

/**
 * Admits what Supabase's gateway admits to a function with `verify_jwt`: a good token as `Authorization: Bearer`, or
 * an opaque key there or as `apikey`. A legacy key in `apikey` alone is not enough.
 * @throws AppError `UNAUTHORIZED_…` (401)
 */
export function requireJwt(request: FastifyRequest): void {
  const { authorization } = request.headers;
  const { caller, credentialError } = request.galley;
  const opaqueKey = opaqueApiKey(request);
  if (authorization === undefined && opaqueKey === undefined) {
    throw unauthorized('UNAUTHORIZED_NO_AUTH_HEADER', 'Missing authorization header');
  }
  if (credentialError) throw unauthorizedFrom(credentialError, authorization);
  const bearer = /^bearer +\S+$/i.test(authorization?.trim() ?? '');
  if (bearer || (opaqueKey !== undefined && caller.kind !== 'keyless')) return;
  throw unauthorized('UNAUTHORIZED_INVALID_JWT_FORMAT', "Auth header is not 'Bearer {token}'");
}

/** `sb_publishable_…` or `sb_secret_…` from the `apikey` header. */
export function opaqueApiKey(request: FastifyRequest): string | undefined {
  const { apikey } = request.headers;
  return typeof apikey === 'string' && apikey.startsWith('sb_') ? apikey : undefined;
}
