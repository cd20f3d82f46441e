import type { AppError } from '#libs/platform';
import type { ErrorBody } from './json-error.js';

/**
 * What PostgREST says of a token that it does not take (postgrest.org, "Errors", group 3); clients refresh their session
 * on PGRST303.
 * @param authorization  the header that the token came in; undefined where it came as a key
 * @returns undefined for other errors
 */
export function tokenErrorBody(
  { code, message }: AppError,
  authorization: string | undefined,
): ErrorBody | undefined {
  switch (code) {
    case 'token_expired':
    case 'token_not_yet_valid':
    case 'token_claim_invalid':
    case 'token_not_for_us':
      return { code: 'PGRST303', message };
    case 'token_bad_signature':
      return noKeyFits;
    case 'token_algorithm_unsupported':
      return isUnsecured(partsOf(authorization)[0]) ? unsecured : noKeyFits;
    case 'token_malformed': {
      if (/^\s*bearer\s*$/i.test(authorization ?? '')) return emptyToken;
      const { length } = partsOf(authorization);
      return {
        code: 'PGRST301',
        message:
          length === 3 ? 'JWT cryptographic operation failed' : `Expected 3 parts in JWT; got ${length}`,
      };
    }
  }
  return undefined;
}

const emptyToken: ErrorBody = {
  code: 'PGRST301',
  message: 'Empty JWT is sent in Authorization header',
};

const noKeyFits: ErrorBody = {
  code: 'PGRST301',
  message: 'No suitable key or wrong key type',
  details: 'None of the keys was able to decode the JWT',
};

const unsecured: ErrorBody = {
  code: 'PGRST301',
  message: 'Wrong or unsupported encoding algorithm',
  details: `JWT is unsecured but expected 'alg' was not 'none'`,
};

function partsOf(authorization: string | undefined): string[] {
  return (authorization ?? '')
    .trim()
    .replace(/^bearer +/i, '')
    .split('.');
}

/** RFC 7519 §6. */
function isUnsecured(header: string | undefined): boolean {
  try {
    return JSON.parse(Buffer.from(header ?? '', 'base64url').toString()).alg === 'none';
  } catch {
    return false;
  }
}
