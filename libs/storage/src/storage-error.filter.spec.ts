import { describe, expect, it } from '@jest/globals';
import { AppError } from '#libs/platform';
import { objectNotFound } from './errors.js';
import { toStorageError } from './storage-error.filter.js';

const postgres = (code: string, message = '') =>
  Object.assign(new Error(message), { code, severity: 'ERROR' });
const system = (code: string, syscall: string) => Object.assign(new Error(code), { code, syscall });

describe('toStorageError', () => {
  it.each([
    [objectNotFound(), 'NoSuchKey', 404],
    [new AppError({ code: 'token_expired', status: 401, message: 'JWT expired' }), 'InvalidJWT', 403],
    [new AppError({ code: 'no_api_key', status: 401, message: 'x' }), 'NoApiKey', 401],
    [new AppError({ code: 'body_too_large', status: 413, message: 'x' }), 'EntityTooLarge', 413],
    [new AppError({ code: 'body_too_slow', status: 408, message: 'x' }), 'RequestTimeout', 408],
    [new AppError({ code: 'too_busy', status: 503, message: 'x' }), 'SlowDown', 503],
    [postgres('42501', 'permission denied for table objects'), 'AccessDenied', 403],
    [postgres('23505'), 'KeyAlreadyExists', 409],
    [postgres('53300'), 'SlowDown', 429],
    [postgres('42883', 'function public.mine() does not exist'), 'DatabaseError', 500],
    [postgres('22P05', 'unsupported Unicode escape sequence'), 'InvalidParameter', 400],
    [postgres('22023', 'role "nosuch" does not exist'), 'InvalidJWT', 403],
    [postgres('22023', 'invalid parameter'), 'DatabaseError', 500],
    [system('ECONNREFUSED', 'connect'), 'DatabaseTimeout', 503],
    [system('ENOENT', 'connect'), 'DatabaseTimeout', 503],
    [system('EPIPE', 'write'), 'DatabaseTimeout', 503],
    [new Error('Connection terminated unexpectedly'), 'DatabaseTimeout', 503],
    [postgres('08006'), 'DatabaseTimeout', 503],
    [postgres('57P01'), 'DatabaseTimeout', 503],
    [postgres('57P03', 'the database system is starting up'), 'DatabaseTimeout', 503],
    [system('ENOENT', 'open'), 'InternalError', 500],
    [new Error('secret'), 'InternalError', 500],
    [undefined, 'InternalError', 500],
  ])('renders %s as %s', (thrown, code, status) => {
    expect(toStorageError(thrown)).toMatchObject({ code, status });
  });

  it('says in the words of storage-api that a policy refused', () => {
    const error = postgres('42501', 'new row violates row-level security policy for table "objects"');
    expect(toStorageError(error).message).toBe('new row violates row-level security policy');
  });

  it('does not tell what an unknown error says', () => {
    expect(toStorageError(new Error('secret')).message).not.toContain('secret');
    expect(toStorageError(postgres('XX000', 'secret')).message).not.toContain('secret');
  });
});
