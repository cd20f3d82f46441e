import { AppError, type Caller } from '#libs/platform';
import { defaultSettings, type RestSettings } from '../settings/rest-settings.js';
import { valueAt } from '../settings/role-claim-path.js';

/**
 * The caller as the settings of the data API see it: who carries nothing, or a token that names no role, has the
 * anonymous role where there is one, and the role of a token stands where `jwtRoleClaimKey` says.
 * @throws AppError `token_not_for_us` (401) for a token of another audience, `token_not_yet_valid` (401)
 */
export function restCaller(caller: Caller, settings: RestSettings): Caller {
  const { anonRole } = settings;
  if (caller.kind === 'keyless') return anonRole === undefined ? caller : withRole(caller, anonRole);
  checkAudience(caller.claims['aud'], settings);
  checkIssuedAt(caller.claims['iat']);
  // What Galley itself has signed names its role where Galley looks for it.
  if (caller.isKey || caller.kind === 'function') return caller;
  const found = valueAt(caller.claims, settings.jwtRoleClaimKey);
  if (found === undefined || found === null) {
    if (anonRole !== undefined) return { ...withRole(caller, anonRole), kind: 'keyless' };
    return withKind(withRole(caller, 'anon'));
  }
  if (settings.jwtRoleClaimKey === defaultSettings.jwtRoleClaimKey) return caller;
  return withKind(withRole(caller, typeof found === 'string' ? found : JSON.stringify(found)));
}

function withKind(caller: Caller): Caller {
  if (caller.role === 'service_role') return { ...caller, kind: 'service' };
  return { ...caller, kind: caller.userId === null ? 'anon' : 'user' };
}

function withRole(caller: Caller, role: string): Caller {
  return { ...caller, role, claims: { ...caller.claims, role } };
}

/** RFC 7519 §4.1.3. A token that names no audience is for everyone. */
function checkAudience(audience: unknown, { jwtAud }: RestSettings): void {
  if (audience === undefined || audience === null) return;
  const audiences: unknown[] = Array.isArray(audience) ? audience : [audience];
  if (audiences.some((entry) => typeof entry !== 'string')) {
    throw audienceError(`The JWT 'aud' claim must be a string or an array of strings`);
  }
  if (
    jwtAud === undefined ||
    audiences.includes(jwtAud) ||
    (Array.isArray(audience) && audiences.length === 0)
  )
    return;
  throw audienceError('JWT not in audience');
}

/** RFC 7519 §4.1.6, with the clock skew that PostgREST allows. */
const allowedSkewSeconds = 30;

function checkIssuedAt(issuedAt: unknown): void {
  if (typeof issuedAt !== 'number' || issuedAt <= Date.now() / 1000 + allowedSkewSeconds) return;
  throw new AppError({ code: 'token_not_yet_valid', status: 401, message: 'JWT issued at future' });
}

function audienceError(message: string): AppError {
  return new AppError({ code: 'token_not_for_us', status: 401, message });
}
