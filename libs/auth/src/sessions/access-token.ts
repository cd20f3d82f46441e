import type { User } from '../users/user.js';
import type { Session } from './session.js';

/** The claims of an access token, save for `iat` and `exp`, by GoTrue's names. Policies read them with auth.jwt(). */
export function accessTokenClaims(user: User, session: Session, issuer: string): Record<string, unknown> {
  return {
    iss: issuer,
    sub: user.id,
    aud: user.aud ?? 'authenticated',
    email: user.email ?? '',
    phone: user.phone ?? '',
    app_metadata: user.raw_app_meta_data ?? {},
    user_metadata: user.raw_user_meta_data ?? {},
    role: user.role || 'authenticated',
    aal: session.aal ?? 'aal1',
    amr: session.amr,
    session_id: session.id,
    is_anonymous: user.is_anonymous,
  };
}
