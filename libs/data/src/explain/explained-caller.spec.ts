import { describe, expect, it } from '@jest/globals';
import type { Caller } from '#libs/platform';
import type { Execution } from '../rest/execute.js';
import { defaultSettings } from '../settings/rest-settings.js';
import { explainedExecution } from './explained-caller.js';

function asked(kind: Caller['kind'], headers: Record<string, string> = {}): Execution {
  const settings = { ...defaultSettings, explainPoliciesRoles: ['staff'] };
  const caller = { kind, role: 'staff', userId: null, claims: {}, depth: 0 };
  return { caller, settings, http: { headers } } as unknown as Execution;
}

describe('a role that the settings name', () => {
  it('may explain requests of its own', async () => {
    const execution = asked('user');
    expect(await explainedExecution(execution)).toBe(execution);
  });

  it('may not explain those of others', async () => {
    const execution = asked('user', { 'galley-explain-as': 'token' });
    await expect(explainedExecution(execution)).rejects.toMatchObject({ code: '42501', status: 403 });
  });

  it('may not where it is a function that asks', async () => {
    await expect(explainedExecution(asked('function'))).rejects.toMatchObject({ code: '42501' });
  });
});
