import { expect, it } from '@jest/globals';
import { AppError } from '#libs/platform';
import { tokenErrorBody } from './token-error.js';

const said = (code: string, token?: string) =>
  tokenErrorBody(
    new AppError({ code, status: 401, message: 'JWT expired' }),
    token === undefined ? undefined : `Bearer ${token}`,
  );
const unsecured = `${Buffer.from('{"alg":"none"}').toString('base64url')}.e30.`;

it("says of a token what is wrong with it, in PostgREST's words", () => {
  expect(said('token_expired', 'a.b.c')).toEqual({ code: 'PGRST303', message: 'JWT expired' });
  expect(said('token_malformed', 'a.b')).toEqual({
    code: 'PGRST301',
    message: 'Expected 3 parts in JWT; got 2',
  });
  expect(said('token_malformed', 'a.b.c')).toEqual({
    code: 'PGRST301',
    message: 'JWT cryptographic operation failed',
  });
  const noKey = {
    code: 'PGRST301',
    message: 'No suitable key or wrong key type',
    details: 'None of the keys was able to decode the JWT',
  };
  expect(said('token_bad_signature', 'a.b.c')).toEqual(noKey);
  expect(said('token_algorithm_unsupported', 'a.b.c')).toEqual(noKey);
  expect(said('token_algorithm_unsupported', unsecured)).toEqual({
    code: 'PGRST301',
    message: 'Wrong or unsupported encoding algorithm',
    details: "JWT is unsecured but expected 'alg' was not 'none'",
  });
});

it('leaves other errors alone', () => {
  expect(said('PGRST205', 'a.b.c')).toBeUndefined();
});
