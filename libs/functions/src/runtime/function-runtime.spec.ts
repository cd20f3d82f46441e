import { expect, it } from '@jest/globals';
import { isolationLevel, type IsolationReport } from './function-runtime.js';

const all: IsolationReport = {
  runtime: 'deno',
  separateUser: true,
  noNewPrivileges: true,
  diesWithParent: true,
  memory: 'kernel',
  network: 'namespace',
  files: 'namespace',
  systemCalls: 'filtered',
  missing: [],
};

it.each([
  [{}, 'strong'],
  [{ network: 'permissions' }, 'user'],
  [{ files: 'permissions' }, 'user'],
  [{ separateUser: false }, 'strong'],
  [{ systemCalls: 'all' }, 'user'],
  [{ network: 'permissions', separateUser: false }, 'process'],
  [{ noNewPrivileges: false }, 'process'],
  [{ memory: 'watched' }, 'process'],
] as const)('isolation with %j is of the level %s', (change, level) => {
  expect(isolationLevel({ ...all, ...change })).toBe(level);
});
