import { describe, expect, it } from '@jest/globals';
import { AppError } from '#libs/platform';
import { initialBody, isVersioned, toAuthError, versionedBody } from './auth-error.filter.js';
import { WeakPasswordError } from './errors.js';

const postgres = (code: string) => Object.assign(new Error('x'), { code, severity: 'FATAL' });

describe('an auth error', () => {
  it.each([
    [undefined, false],
    ['', false],
    ['soon', false],
    ['2023-12-31', false],
    ['2024-01-01', true],
    ['2030-06-01', true],
  ])('for API version %p is in the later shape: %p', (asked, versioned) => {
    expect(isVersioned(asked)).toBe(versioned);
  });

  it('has its code where each version expects it', () => {
    const error = new WeakPasswordError('Too short', ['length']);
    expect(initialBody(error)).toEqual({
      code: 422,
      error_code: 'weak_password',
      msg: 'Too short',
      weak_password: { reasons: ['length'] },
    });
    expect(versionedBody(error)).toEqual({
      code: 'weak_password',
      message: 'Too short',
      weak_password: { reasons: ['length'] },
    });
  });

  it.each([
    ['token_expired', 401, 403, 'bad_jwt'],
    ['token_bad_signature', 401, 403, 'bad_jwt'],
    ['no_api_key', 401, 401, 'no_authorization'],
    ['invalid_api_key', 401, 401, 'no_authorization'],
    ['invalid_json', 400, 400, 'bad_json'],
    ['body_too_large', 413, 413, 'request_entity_too_large'],
    ['body_too_slow', 408, 408, 'request_timeout'],
    ['same_password', 422, 422, 'same_password'],
  ])('renders the code %s with %i as %i %s', (code, status, shownStatus, shownCode) => {
    expect(toAuthError(new AppError({ code, status, message: 'm' }))).toMatchObject({
      status: shownStatus,
      code: shownCode,
    });
  });

  it.each([
    ['that is refused', Object.assign(new Error('connect'), { code: 'ECONNREFUSED', syscall: 'connect' })],
    ['that breaks', new Error('Connection terminated unexpectedly')],
    ['that PostgreSQL ends', postgres('57P01')],
    ['that PostgreSQL does not take yet', postgres('57P03')],
    ['of too many', postgres('53300')],
    ['that fails otherwise', postgres('08006')],
  ])('asks to try again after a connection %s', (_what, thrown) => {
    expect(toAuthError(thrown)).toMatchObject({
      status: 503,
      code: 'unexpected_failure',
      message: 'Database connection error, please try again later',
    });
  });

  it('says nothing of an unexpected failure', () => {
    const failure = Object.assign(new Error('relation "auth.users" does not exist'), { code: '42P01' });
    expect(toAuthError(failure)).toMatchObject({ status: 500, code: 'unexpected_failure' });
    expect(toAuthError(failure).message).not.toMatch(/relation/);
  });
});
