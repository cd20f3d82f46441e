import { NotFoundException } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { AppError, callerFromClaims, keylessCaller } from '#libs/platform';
import { errorResponse } from './error-response.js';

const user = callerFromClaims({ role: 'authenticated', sub: 'u' });

function databaseError(code: string, more: object = {}): Error {
  return Object.assign(new Error('said so'), { severity: 'ERROR', code, ...more });
}

const statusOf = (error: unknown, caller = user) => errorResponse(error, caller)?.status;

describe('errors of PostgreSQL', () => {
  it.each([
    ['23503', 409],
    ['23505', 409],
    ['23502', 400],
    ['22P02', 400],
    ['25006', 405],
    ['42883', 404],
    ['42P01', 404],
    ['42703', 400],
    ['42501', 403],
    ['57014', 500],
    ['53300', 503],
    ['08006', 503],
    ['P0001', 400],
    ['P0002', 500],
    ['40001', 500],
    ['PT404', 404],
    ['PTxyz', 500],
    ['PT999', 500],
    ['__proto__', 400],
    ['co', 400],
  ])('%s is %i', (code, status) => {
    expect(statusOf(databaseError(code))).toBe(status);
  });

  it('asks strangers to sign in, but not those whose token names a role', () => {
    for (const caller of [keylessCaller, callerFromClaims({ role: 'anon' })]) {
      const response = errorResponse(databaseError('42501'), caller);
      expect([response?.status, response?.headers['www-authenticate']]).toEqual([401, 'Bearer']);
    }
    expect(statusOf(databaseError('42501'), callerFromClaims({ role: 'editor' }))).toBe(403);
  });

  it('tells a value that is too complex from a function that is', () => {
    expect(statusOf(databaseError('54001'))).toBe(400);
    expect(statusOf(databaseError('54001', { where: 'JSON data, line 1: [[[' }))).toBe(400);
    expect(statusOf(databaseError('54001', { where: 'SQL function "endless" statement 1' }))).toBe(500);
    expect(statusOf(databaseError('54001', { where: 'PL/pgSQL function endless() line 3 at RETURN' }))).toBe(
      500,
    );
    expect(statusOf(Object.assign(databaseError('XX000'), { message: 'tsquery stack too small' }))).toBe(400);
    expect(statusOf(databaseError('XX000'))).toBe(500);
  });

  it('says that XML is not to be had where no aggregate writes it', () => {
    const message = 'function xmlagg(films) does not exist';
    expect(statusOf(Object.assign(databaseError('42883'), { message }))).toBe(406);
  });

  it('lets a function choose the words after the status, if HTTP can carry them', () => {
    const textOf = (code: string, message: string, detail?: string) =>
      errorResponse(Object.assign(databaseError(code, { detail }), { message }), user)?.statusText;
    expect(textOf('PT402', 'Pay first')).toBe('Pay first');
    expect(textOf('PT402', 'Pay\r\nfirst')).toBeUndefined();
    expect(textOf('P0001', 'Pay first')).toBeUndefined();
    const whole = (text: string) => `{"status":402,"headers":{}${text}}`;
    expect(textOf('PGRST', '{"code":"7","message":"m"}', whole(',"status_text":"Later"'))).toBe('Later');
    expect(textOf('PGRST', '{"code":"7","message":"m"}', whole(''))).toBeUndefined();
  });

  it('keeps code, message, details and hint', () => {
    const response = errorResponse(databaseError('23505', { detail: 'd', hint: 'h' }), user);
    expect(JSON.parse(String(response!.body))).toEqual({
      code: '23505',
      message: 'said so',
      details: 'd',
      hint: 'h',
    });
  });

  it('lets a function write the whole response, but no broken one', () => {
    const raise = (message: string, detail?: string) =>
      errorResponse(Object.assign(databaseError('PGRST', { detail }), { message }), user)!;
    const good = raise('{"code":"7","message":"m","hint":"h"}', '{"status":402,"headers":{"X-A":"b"}}');
    expect([good.status, good.headers['x-a']]).toEqual([402, 'b']);
    expect(JSON.parse(String(good.body))).toEqual({ code: '7', message: 'm', details: null, hint: 'h' });
    for (const [message, detail] of [
      ['no json', '{"status":402,"headers":{}}'],
      ['{"message":"m"}', '{"status":402,"headers":{}}'],
      ['{"code":"7","message":"m"}', undefined],
      ['{"code":"7","message":"m"}', '{"status":99,"headers":{}}'],
      ['{"code":"7","message":"m"}', '{"status":402,"headers":{"a b":"c"}}'],
      ['{"code":"7","message":"m"}', '{"status":402,"headers":{"a":"b\\r\\nset-cookie: c"}}'],
    ] as const) {
      expect(JSON.parse(String(raise(message, detail).body)).code).toBe('PGRST121');
    }
  });
});

describe('other errors', () => {
  it.each([
    ['token_expired', 'PGRST303'],
    ['token_not_yet_valid', 'PGRST303'],
    ['token_not_for_us', 'PGRST303'],
    ['token_claim_invalid', 'PGRST303'],
    ['token_malformed', 'PGRST301'],
    ['token_bad_signature', 'PGRST301'],
    ['token_algorithm_unsupported', 'PGRST301'],
  ])('%s is %s with a challenge', (code, expected) => {
    const response = errorResponse(new AppError({ code, status: 401, message: 'JWT "x"' }), undefined)!;
    const body = JSON.parse(String(response.body));
    expect(body.code).toBe(expected);
    expect(response.headers['www-authenticate']).toBe(
      `Bearer error="invalid_token", error_description=${JSON.stringify(body.message)}`,
    );
  });

  it('knows whether a connection was not to be had, or broke', () => {
    const codeOf = (error: Error) => JSON.parse(String(errorResponse(error, user)!.body)).code;
    const network = (code: string, syscall: string) => Object.assign(new Error('x'), { code, syscall });
    expect(codeOf(network('ECONNREFUSED', 'connect'))).toBe('PGRST000');
    expect(codeOf(network('ECONNRESET', 'read'))).toBe('PGRST001');
    expect(codeOf(new Error('Connection terminated unexpectedly'))).toBe('PGRST001');
    expect(codeOf(new Error('timeout exceeded when trying to connect'))).toBe('PGRST000');
  });

  it('knows connections that PostgreSQL did not take', () => {
    const starting = { severity: 'FATAL', message: 'the database system is starting up' };
    const response = errorResponse(Object.assign(databaseError('57P03', starting), starting), user)!;
    expect([response.status, JSON.parse(String(response.body))]).toEqual([
      503,
      {
        code: 'PGRST000',
        message: 'Database connection error.',
        details: 'the database system is starting up',
        hint: null,
      },
    ]);
    expect(statusOf(databaseError('57P01', { severity: 'FATAL' }))).toBe(503);
  });

  it('knows broken connections and paths', () => {
    expect(statusOf(Object.assign(new Error('x'), { code: 'ECONNREFUSED' }))).toBe(503);
    expect(statusOf(new Error('Connection terminated unexpectedly'))).toBe(503);
    expect(statusOf(new NotFoundException())).toBe(404);
    expect(statusOf(Object.assign(new Error('x'), { statusCode: 413 }))).toBe(413);
  });

  it('tells of bodies that did not come in time, and of too many of them', () => {
    for (const [code, status, expected] of [
      ['body_too_slow', 408, 'PGRST102'],
      ['too_busy', 503, 'PGRST003'],
    ] as const) {
      const error = new AppError({ code, status, message: 'm', headers: { 'Retry-After': '5' } });
      const response = errorResponse(error, undefined)!;
      expect(JSON.parse(String(response.body)).code).toBe(expected);
      expect([response.status, response.headers['Retry-After']]).toEqual([status, '5']);
    }
  });

  it('leaves the unforeseen to its caller', () => {
    for (const error of [new TypeError('x'), 'text', null, undefined, {}]) {
      expect(errorResponse(error, user)).toBeUndefined();
    }
  });
});
