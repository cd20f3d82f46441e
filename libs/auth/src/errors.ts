import { AppError } from '#libs/platform';

/**
 * Errors in GoTrue's vocabulary of codes (`AppError.code` is its `error_code`). None but {@link unavailable} is a
 * 5xx: auth-js takes those for a network failure and tries again.
 */
function authError(status: number, code: string, message: string, cause?: unknown): AppError {
  return new AppError({ status, code, message, cause });
}

export const validationFailed = (message: string) => authError(400, 'validation_failed', message);
export const badJson = () => authError(400, 'bad_json', 'Could not parse request body as a JSON object');
export const unsupportedGrantType = () => authError(400, 'unsupported_grant_type', 'unsupported_grant_type');

export const signupDisabled = () =>
  authError(422, 'signup_disabled', 'Signups not allowed for this instance');
export const anonymousProviderDisabled = () =>
  authError(422, 'anonymous_provider_disabled', 'Anonymous sign-ins are disabled');
export const phoneProviderDisabled = (what: 'signups' | 'logins' | 'updates') =>
  authError(what === 'logins' ? 422 : 400, 'phone_provider_disabled', `Phone ${what} are disabled`);

export const userAlreadyExists = () => authError(422, 'user_already_exists', 'User already registered');
export const emailExists = () =>
  authError(422, 'email_exists', 'A user with this email address has already been registered');
export const userRefusedByDatabase = (cause: unknown) =>
  authError(422, 'unexpected_failure', 'Database error saving new user', cause);

export const invalidCredentials = () => authError(400, 'invalid_credentials', 'Invalid login credentials');
export const emailNotConfirmed = () => authError(400, 'email_not_confirmed', 'Email not confirmed');
export const samePassword = () =>
  authError(422, 'same_password', 'New password should be different from the old password.');
export const currentPasswordInvalid = () =>
  authError(400, 'current_password_invalid', 'The current password is not right.');
export const insufficientAal = () =>
  authError(
    401,
    'insufficient_aal',
    'AAL2 session is required to update email or password when MFA is enabled.',
  );
export const notAdmin = (message: string) => authError(403, 'not_admin', message);

export const refreshTokenNotFound = () =>
  authError(400, 'refresh_token_not_found', 'Invalid Refresh Token: Refresh Token Not Found');
export const refreshTokenAlreadyUsed = () =>
  authError(400, 'refresh_token_already_used', 'Invalid Refresh Token: Already Used');
export const refreshOfBannedUser = () => authError(400, 'user_banned', 'Invalid Refresh Token: User Banned');
export const refreshWithoutSession = () =>
  authError(400, 'session_not_found', 'Invalid Refresh Token: No Valid Session Found');
export const sessionExpired = () =>
  authError(400, 'session_expired', 'Invalid Refresh Token: Session Expired');

export const noAuthorization = () =>
  authError(401, 'no_authorization', 'This endpoint requires a valid Bearer token');
export const badJwt = (message: string, cause?: unknown) => authError(403, 'bad_jwt', message, cause);
export const userNotFound = () =>
  authError(403, 'user_not_found', 'User from sub claim in JWT does not exist');
/** auth-js forgets its session on this code. */
export const sessionNotFound = () =>
  authError(403, 'session_not_found', 'Session from session_id claim in JWT does not exist');
export const userBanned = (status: 400 | 403) => authError(status, 'user_banned', 'User is banned');

export function overRequestRateLimit(retryAfterSeconds: number): AppError {
  return new AppError({
    status: 429,
    code: 'over_request_rate_limit',
    message: 'Request rate limit reached',
    headers: { 'Retry-After': String(retryAfterSeconds) },
  });
}

/** The database is away, restarting, say. */
export const unavailable = () =>
  new AppError({
    status: 503,
    code: 'unexpected_failure',
    message: 'Database connection error, please try again later',
    headers: { 'Retry-After': '1' },
  });

/** A password that is too easy to guess. `reasons` are told apart by clients: `length`. */
export class WeakPasswordError extends AppError {
  constructor(
    message: string,
    readonly reasons: readonly string[],
  ) {
    super({ status: 422, code: 'weak_password', message });
  }
}
