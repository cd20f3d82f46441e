import { expect, it } from '@jest/globals';
import { callerFromClaims } from '#libs/platform';
import { parseRequest } from '../request/parse-request.js';
import { defaultSettings } from '../settings/rest-settings.js';
import { refuseUndeclaredCall } from './function-permission.js';

const request = (path: string) =>
  parseRequest({ method: 'GET', path, query: '', headers: {}, body: undefined }, defaultSettings);
const galleyFunction = {
  invocation_id: '018f0000-0000-7000-8000-000000000000',
  function: 'f',
  depth: 1,
  rpc: ['public.add'],
};
const caller = callerFromClaims({ role: 'fn_f', galley_function: galleyFunction });

it('lets a deployed function call what it declared and read tables', () => {
  expect(() => refuseUndeclaredCall(request('rpc/add'), caller)).not.toThrow();
  expect(() => refuseUndeclaredCall(request('films'), caller)).not.toThrow();
});

it('refuses it all other database functions', () => {
  for (const name of ['rpc/other', 'rpc/ADD', 'rpc/add%20', 'rpc/public.add']) {
    expect(() => refuseUndeclaredCall(request(name), caller)).toThrow(
      expect.objectContaining({ code: '42501', status: 403 }),
    );
  }
});

it('leaves people alone', () => {
  expect(() => refuseUndeclaredCall(request('rpc/other'), callerFromClaims({ role: 'anon' }))).not.toThrow();
});
