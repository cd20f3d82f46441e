import {
  AppError,
  callerOfCredential,
  callerOfToken,
  sameSecret,
  type Caller,
  type Project,
} from '#libs/platform';
import { settingsOfRole } from '../guards/role-guards.js';
import type { Execution } from '../rest/execute.js';
import { restCaller } from '../rest/rest-caller.js';
import type { RestSettings } from '../settings/rest-settings.js';

const explainAs = 'galley-explain-as';

/**
 * The request as whoever is explained would send it: the caller, or for the holder of the secret key the one whose
 * token or publishable key the header names.
 * @throws AppError 42501 (403) for callers who may not know, `token_…` (401) for a bad token
 */
export async function explainedExecution(execution: Execution): Promise<Execution> {
  const { caller, project, settings, http } = execution;
  const { [explainAs]: named, apikey: _key, authorization: _authorization, ...headers } = http.headers;
  if (caller.kind === 'service') {
    if (named === undefined) return execution;
    const explained = restCaller(await callerOf(project, named), settings);
    // Policies see the headers, which would be that person's.
    const theirs = { apikey: project.keys.publishableKey, authorization: `Bearer ${named}` };
    return {
      ...execution,
      caller: explained,
      settings: settingsOfRole(settings, explained.role),
      http: { ...http, headers: { ...headers, ...theirs } },
    };
  }
  if (named === undefined && mayExplain(caller, settings)) return execution;
  throw new AppError({
    code: '42501',
    status: 403,
    message:
      named === undefined ? 'permission denied to explain policies' : `permission denied for ${explainAs}`,
    hint:
      named === undefined
        ? 'Send the secret key, or have the role named in pgrst.galley_explain_policies_roles.'
        : `Send the secret key as both apikey and Authorization, and the token of the person in ${explainAs} alone.`,
  });
}

function mayExplain({ role, kind }: Caller, { explainPoliciesRoles }: RestSettings): boolean {
  return kind !== 'function' && explainPoliciesRoles.includes(role);
}

function callerOf(project: Project, credential: string): Promise<Caller> {
  const isPublishable = sameSecret(credential, project.keys.publishableKey);
  return isPublishable ? callerOfCredential(project, credential) : callerOfToken(project, credential);
}
