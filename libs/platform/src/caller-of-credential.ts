import { callerFromClaims, type Caller } from './caller.js';
import { AppError } from './errors/app-error.js';
import type { Project } from './project/project.js';
import { sameSecret } from './same-secret.js';

/**
 * Whoever carries `credential`: one of the project's opaque keys or a token.
 * @throws AppError `invalid_api_key` (401) for an unknown key, `token_…` (401) for a bad token
 */
export async function callerOfCredential(project: Project, credential: string): Promise<Caller> {
  if (!credential.startsWith('sb_')) return callerOfToken(project, credential);
  if (sameSecret(credential, project.keys.publishableKey)) return keyCaller('anon');
  if (sameSecret(credential, project.keys.secretKey)) return keyCaller('service_role');
  throw new AppError({ code: 'invalid_api_key', status: 401, message: 'Invalid API key' });
}

/**
 * Whoever carries `token`, which the project or somebody whom it trusts has signed.
 * @throws AppError `token_…` (401)
 */
export async function callerOfToken(project: Project, token: string): Promise<Caller> {
  const caller = callerFromClaims(await project.tokens.verify(token));
  const isKey = caller.claims['galley_key'] === true || isLegacyKey(project, token);
  return isKey ? { ...caller, isKey } : caller;
}

function keyCaller(role: string): Caller {
  return { ...callerFromClaims({ role }), isKey: true };
}

function isLegacyKey({ keys: { anonKey, serviceRoleKey } }: Project, token: string): boolean {
  // How long they are is no secret, and each comparison hashes both.
  return [anonKey, serviceRoleKey].some((key) => key.length === token.length && sameSecret(key, token));
}
