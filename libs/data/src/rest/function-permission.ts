import { AppError, functionClaims, type Caller } from '#libs/platform';
import type { ApiRequest } from '../request/api-request.js';

/**
 * A deployed function may call only the database functions it declared. Tables are left to its role's grants,
 * but every role may execute a function of `public` unless that was revoked.
 *
 * @throws AppError 42501 (403), as PostgreSQL itself would answer
 */
export function refuseUndeclaredCall(request: ApiRequest, caller: Caller): void {
  if (caller.kind !== 'function') return;
  if (request.action !== 'call' && request.action !== 'callRead') return;
  const declared = functionClaims(caller)?.rpc ?? [];
  if (declared.includes(`${request.schema}.${request.target}`)) return;
  throw new AppError({
    code: '42501',
    status: 403,
    message: `permission denied for function ${request.target}`,
    hint: `Declare "${request.schema}.${request.target}" among the function's rpc permissions.`,
  });
}
