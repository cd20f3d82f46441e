import { AppError } from '#libs/platform';
import { accessDenied, alreadyExists, policyViolation, slowDown } from './errors.js';

/** Puts what PostgreSQL answered into storage-api's vocabulary. */
export function databaseError(sqlState: string, message: string): AppError {
  switch (sqlState) {
    case '42501':
      return message.includes('row-level security') ? policyViolation() : accessDenied(message);
    case '23505':
      return alreadyExists();
    case '23503':
      return new AppError({
        code: 'InvalidRequest',
        status: 404,
        message: 'The related resource does not exist',
      });
    case '53300':
      return slowDown('Too many connections issued to the database');
    case '57014':
      return new AppError({
        code: 'DatabaseTimeout',
        status: 544,
        message: 'The connection to the database timed out',
      });
    // The last two are of NUL, for which neither JSON nor text has room.
    case '22P02':
    case '22P05':
    case '22021':
      return new AppError({ code: 'InvalidParameter', status: 400, message });
    default:
      return isUnknownRole(sqlState, message) ? unknownRole(message) : failedInProject(sqlState);
  }
}

/** The role of a token that PostgreSQL does not know. */
function isUnknownRole(sqlState: string, message: string): boolean {
  return sqlState === '22023' && /^role .* does not exist$/.test(message);
}

const unknownRole = (message: string) => new AppError({ code: 'InvalidJWT', status: 403, message });

/** Anything else comes from a policy or trigger of the project; its author needs the SQLSTATE. */
const failedInProject = (sqlState: string) =>
  new AppError({ code: 'DatabaseError', status: 500, message: `database error, code: ${sqlState}` });
