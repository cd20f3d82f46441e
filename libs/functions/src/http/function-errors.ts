import { AppError } from '#libs/platform';
import { decodeProtectedHeader } from 'jose';

/** Codes of Supabase's gateway for calls to a function with `verify_jwt`; each is also in `sb-error-code`. */
type UnauthorizedCode =
  | 'UNAUTHORIZED_NO_AUTH_HEADER'
  | 'UNAUTHORIZED_INVALID_JWT_FORMAT'
  | 'UNAUTHORIZED_LEGACY_JWT'
  | 'UNAUTHORIZED_ASYMMETRIC_JWT'
  | 'UNAUTHORIZED_UNSUPPORTED_TOKEN_ALGORITHM';

export function unauthorized(code: UnauthorizedCode, message: string, cause?: unknown): AppError {
  return new AppError({ code, status: 401, message, cause });
}

/** What is wrong with a credential, in the words of Supabase's gateway. */
export function unauthorizedFrom(error: AppError, authorization: string | undefined): AppError {
  switch (error.code) {
    case 'token_malformed':
    case 'invalid_api_key':
      return unauthorized('UNAUTHORIZED_INVALID_JWT_FORMAT', error.message, error);
    case 'token_algorithm_unsupported':
      return isAsymmetric(authorization)
        ? unauthorized('UNAUTHORIZED_ASYMMETRIC_JWT', `Invalid JWT: ${error.message}`, error)
        : unauthorized('UNAUTHORIZED_UNSUPPORTED_TOKEN_ALGORITHM', error.message, error);
    default: {
      const code = isAsymmetric(authorization) ? 'UNAUTHORIZED_ASYMMETRIC_JWT' : 'UNAUTHORIZED_LEGACY_JWT';
      return unauthorized(code, `Invalid JWT: ${error.message}`, error);
    }
  }
}

function isAsymmetric(authorization: string | undefined): boolean {
  const { alg } = decodeProtectedHeader(authorization?.replace(/^bearer +/i, '') ?? '');
  return /^(ES|RS|PS|Ed)/.test(alg ?? '');
}

export function invalidRequest(message: string, cause?: unknown): AppError {
  return new AppError({ code: 'invalid_request', status: 400, message, cause });
}

/** Whether a function may be called, and how, stands in the database. */
export function databaseUnavailable(cause: unknown): AppError {
  return new AppError({
    code: 'DATABASE_UNAVAILABLE',
    status: 503,
    message: 'The database cannot be reached just now',
    headers: { 'retry-after': '1' },
    cause,
  });
}

export function methodNotAllowed(method: string): AppError {
  return new AppError({
    code: 'METHOD_NOT_ALLOWED',
    status: 405,
    message: `Functions cannot be called with ${method}`,
  });
}
