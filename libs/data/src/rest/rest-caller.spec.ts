import { expect, it } from '@jest/globals';
import { callerFromClaims, keylessCaller } from '#libs/platform';
import { defaultSettings } from '../settings/rest-settings.js';
import { parseRoleClaimPath } from '../settings/role-claim-path.js';
import { restCaller } from './rest-caller.js';

const visitors = { ...defaultSettings, anonRole: 'visitor' };
const elsewhere = { ...visitors, jwtRoleClaimKey: parseRoleClaimPath('$.app.role') };

it.each([
  ['nothing', keylessCaller, visitors, 'visitor'],
  ['nothing, where there is no anonymous role', keylessCaller, defaultSettings, 'anon'],
  ['a token without a role', callerFromClaims({ id: 1 }), visitors, 'visitor'],
  ['such a token where there is no anonymous role', callerFromClaims({ id: 1 }), defaultSettings, 'anon'],
  ['a token with a role', callerFromClaims({ role: 'editor' }), visitors, 'editor'],
  ['a publishable key', callerFromClaims({ role: 'anon' }), visitors, 'anon'],
  ['a role elsewhere', callerFromClaims({ sub: 'u', app: { role: 'editor' } }), elsewhere, 'editor'],
  ['no role there', callerFromClaims({ sub: 'u', role: 'editor' }), elsewhere, 'visitor'],
  ['a role elsewhere for nobody', callerFromClaims({ app: { role: 'editor' } }), elsewhere, 'editor'],
  ['no role there for nobody', callerFromClaims({ role: 'service_role' }), elsewhere, 'visitor'],
  ['a key', { ...callerFromClaims({ role: 'service_role' }), isKey: true }, elsewhere, 'service_role'],
])('takes who carries %s for what the settings say', (_, caller, settings, role) => {
  const found = restCaller(caller, settings);
  expect(found.role).toBe(role);
  if (role !== 'anon') expect(found.claims['role']).toBe(role);
});

it('takes who carries a token without a role for a stranger', () => {
  expect(restCaller(callerFromClaims({ id: 1 }), visitors).kind).toBe('keyless');
});

it('takes who carries a token for what its role elsewhere makes of them', () => {
  const kindOf = (claims: object) => restCaller(callerFromClaims({ ...claims }), elsewhere).kind;
  expect(kindOf({ app: { role: 'service_role' } })).toBe('service');
  expect(kindOf({ role: 'service_role', app: { role: 'anon' } })).toBe('anon');
  expect(kindOf({ role: 'service_role', app: { role: 'editor' }, sub: 'u' })).toBe('user');
});

it('refuses tokens of the future, as far as clocks may differ', () => {
  const issuedIn = (seconds: number) => () =>
    restCaller(callerFromClaims({ role: 'editor', iat: Math.floor(Date.now() / 1000) + seconds }), visitors);
  expect(issuedIn(-3600)).not.toThrow();
  expect(issuedIn(20)).not.toThrow();
  expect(issuedIn(3600)).toThrow(
    expect.objectContaining({ code: 'token_not_yet_valid', message: 'JWT issued at future' }),
  );
});
