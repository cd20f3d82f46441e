import { z } from 'zod';
import { AppError } from './errors/app-error.js';

/** Who is asking: what row-level security, limits and the meter see of a request. */
export interface Caller {
  /**
   * `keyless`: neither key nor token was sent; may use only what is public.
   * `anon`: a publishable key. `user`: a signed-in person. `service`: a secret key.
   * `function`: one invocation of one function, with that function's declared permissions.
   * `manager`: a personal access token, which manages all projects and reads the data of none.
   */
  readonly kind: 'keyless' | 'anon' | 'user' | 'service' | 'function' | 'manager';
  /** PostgreSQL role the caller's statements run as. */
  readonly role: string;
  /** `auth.users.id` of a signed-in person (the token's `sub`), else null. */
  readonly userId: string | null;
  /** All claims of the verified token; `request.jwt.claims` in the database. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** How many functions stand between the first event and this request; 0 for people. */
  readonly depth: number;
  /**
   * Came with one of the project's own keys, opaque or a JWT, or with what stands for one in a function: its role is
   * what the key is for, wherever the roles of other tokens stand.
   */
  readonly isKey?: boolean;
}

export const keylessCaller: Caller = {
  kind: 'keyless',
  role: 'anon',
  userId: null,
  claims: { role: 'anon' },
  depth: 0,
};

/** Whoever holds a personal access token. */
export const managerCaller: Caller = { ...keylessCaller, kind: 'manager' };

/** The claims that a function's invocation token carries beside `role` and `exp`. */
export interface FunctionClaims {
  readonly invocation_id: string;
  readonly function: string;
  readonly depth: number;
  /** Database functions the function may call by RPC: `schema.name`. */
  readonly rpc: readonly string[];
  /** The request that everything began with. */
  readonly root?: string | undefined;
}

const functionClaimsSchema = z.object({
  invocation_id: z.uuid(),
  function: z.string(),
  depth: z.int().min(0),
  rpc: z.array(z.string()),
  root: z.string().optional(),
});

/** @throws AppError `token_malformed` (401): only Galley itself writes these. */
function readFunctionClaims(claims: Record<string, unknown>): FunctionClaims | undefined {
  const given = claims['galley_function'];
  if (given === undefined || functionClaimsSchema.safeParse(given).success) {
    return given as FunctionClaims | undefined;
  }
  throw new AppError({ code: 'token_malformed', status: 401, message: 'JWT malformed: galley_function' });
}

/** The caller that verified `claims` describe. @throws AppError `token_malformed` (401) */
export function callerFromClaims(claims: Record<string, unknown>): Caller {
  const role = typeof claims['role'] === 'string' && claims['role'] !== '' ? claims['role'] : 'anon';
  const userId = typeof claims['sub'] === 'string' && claims['sub'] !== '' ? claims['sub'] : null;
  const fn = readFunctionClaims(claims);
  if (fn) return { kind: 'function', role, userId, claims, depth: fn.depth };
  const depth = callClaims(claims)?.depth ?? 0;
  if (role === 'service_role') return { kind: 'service', role, userId, claims, depth };
  if (userId !== null) return { kind: 'user', role, userId, claims, depth };
  return { kind: 'anon', role, userId, claims, depth };
}

/** What a token tells that shows a function who called it, when the call was kept and made later. */
export interface CallClaims {
  /** Functions between the first cause and this call. */
  readonly depth: number;
  /** The request that everything began with. */
  readonly root: string;
  /** Unix seconds: nobody is spoken for after that, through however many calls that were kept. */
  readonly not_after: number;
}

export function callClaims(claims: Record<string, unknown>): CallClaims | undefined {
  const { depth, root, not_after: notAfter } = (claims['galley_call'] ?? {}) as Record<string, unknown>;
  if (!Number.isInteger(depth) || typeof root !== 'string' || typeof notAfter !== 'number') return undefined;
  return { depth: Math.max(0, depth as number), root, not_after: notAfter };
}

/** The invocation a function caller acts for. Only for callers of kind `function`. */
export function functionClaims(caller: Caller): FunctionClaims | undefined {
  return caller.claims['galley_function'] as FunctionClaims | undefined;
}

/** The request that everything began with, through however many functions; `requestId` itself when people ask. */
export function rootOf(caller: Caller, requestId: string): string {
  return functionClaims(caller)?.root ?? callClaims(caller.claims)?.root ?? requestId;
}
