import { upgradeOf } from '#libs/platform';
import type { FastifyRequest } from 'fastify';
import { unauthorized, unauthorizedFrom } from './function-errors.js';

/**
 * Admits what Supabase's gateway admits to a function with `verify_jwt`: a good token as `Authorization: Bearer`, or
 * an opaque key there or as `apikey`. A legacy key in `apikey` alone is not enough. For a WebSocket, to which browsers
 * can give no header, any key in the query is as good.
 * @throws AppError `UNAUTHORIZED_…` (401)
 */
export function requireJwt(request: FastifyRequest): void {
  const { authorization } = request.headers;
  const { caller, credentialError } = request.galley;
  const opaqueKey = opaqueApiKey(request);
  const hasOnlyQuery = authorization === undefined && request.headers.apikey === undefined;
  if (hasOnlyQuery && upgradeOf(request.raw) && caller.kind !== 'keyless') return;
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
