import { expect, it } from '@jest/globals';
import { parseRoleClaimPath, valueAt } from './role-claim-path.js';

const claims = {
  role: 'top',
  postgrest: { roles: ['other', 'author'] },
  'https://example.com/role': { key: 'far' },
};

it.each([
  ['$.role', 'top'],
  ['.role', 'top'],
  ['$.postgrest.roles[1]', 'author'],
  ['.postgrest.roles[1]', 'author'],
  [`$['https://example.com/role'].key`, 'far'],
  ['."https://example.com/role".key', 'far'],
  [`$.postgrest.roles[?(@ == 'author')]`, 'author'],
  [`$.postgrest.roles[?search(@, '^au')]`, 'author'],
  ['.postgrest.roles[?(@ != "other")]', 'author'],
  ['.postgrest.roles[?(@ ^== "oth")]', 'other'],
  ['.postgrest.roles[?(@ ==^ "hor")]', 'author'],
  ['.postgrest.roles[?(@ *== "the")]', 'other'],
  ['$.postgrest.roles[7]', undefined],
  ['$.nothing.at.all', undefined],
  ['$.__proto__', undefined],
])('%s leads to %s', (path, role) => {
  expect(valueAt(claims, parseRoleClaimPath(path))).toBe(role);
});

it.each(['', '$', 'role', '$.', '$.a b', '$.roles[x]', '.roles[?(@ == "a")].more', `$[?search(@, '(')]`])(
  'refuses %j',
  (path) => {
    expect(() => parseRoleClaimPath(path)).toThrow(SyntaxError);
  },
);
