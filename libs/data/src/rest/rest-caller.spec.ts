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
])('takes who carries %s for what the settings say', (_, caller, settings, role) => {
  const found = restCaller(caller, settings);
  expect(found.role).toBe(role);
  if (role !== 'anon') expect(found.claims['role']).toBe(role);
});
