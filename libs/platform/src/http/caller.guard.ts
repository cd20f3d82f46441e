import { Injectable, Optional, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { AccessTokens } from '../access-tokens/access-tokens.js';
import { callerOfCredential } from '../caller-of-credential.js';
import { functionClaims, keylessCaller, managerCaller, type Caller } from '../caller.js';
import { AppError } from '../errors/app-error.js';
import type { Project } from '../project/project.js';
import { ProjectRegistry } from '../project/project-registry.js';

/** Tells whether an invocation's token may still act: it dies with its invocation. */
export abstract class InvocationLiveness {
  abstract isLive(project: Project, invocationId: string): Promise<boolean>;
}

/**
 * For controllers that decide themselves about a bad credential (a function without `verify_jwt` may be sent other
 * people's tokens): the guard leaves it in `request.galley.credentialError` and takes the caller for keyless.
 */
export const LeavesBadCredentials = Reflector.createDecorator<true>();

/**
 * Finds out who is asking and puts it into `request.galley.caller`. Installed once for all routes.
 *
 * As Supabase's gateway does: a key comes as `apikey` header or query parameter, a person's token as
 * `Authorization: Bearer`; SDKs without a session send their key there too. The token wins over the key. A personal
 * access token comes there as well, and is one on the management API alone.
 *
 * @throws AppError `token_…` (401) for a bad token, `invalid_api_key` (401) for an unknown opaque key,
 *   `invalid_access_token` (401)
 */
@Injectable()
export class CallerGuard implements CanActivate {
  /** Where no functions run, no function token is live. */
  constructor(
    private readonly reflector: Reflector,
    private readonly accessTokens: AccessTokens,
    @Optional() private readonly liveness?: InvocationLiveness,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    try {
      request.galley.caller = await this.#callerOf(request);
    } catch (error) {
      if (!(error instanceof AppError) || !this.reflector.get(LeavesBadCredentials, context.getClass()))
        throw error;
      request.galley.caller = keylessCaller;
      request.galley.credentialError = error;
    }
    return true;
  }

  async #callerOf(request: FastifyRequest): Promise<Caller> {
    const { project } = request.galley;
    const bearer = bearerOf(request.headers.authorization);
    if (bearer?.startsWith('sbp_') && isManagement(request)) {
      await this.accessTokens.check(bearer);
      return managerCaller;
    }
    if (bearer !== undefined) return this.#liveCallerOf(project, bearer);
    const apiKey = apiKeyOf(request);
    return apiKey === undefined ? keylessCaller : this.#liveCallerOf(project, apiKey);
  }

  async #liveCallerOf(project: Project, credential: string): Promise<Caller> {
    const caller = await callerOfCredential(project, credential);
    const invocation = functionClaims(caller);
    if (invocation && !(await this.liveness?.isLive(project, invocation.invocation_id))) {
      throw new AppError({
        code: 'token_expired',
        status: 401,
        message: 'The function invocation this token was issued for has ended',
      });
    }
    return caller;
  }
}

function isManagement(request: FastifyRequest): boolean {
  return request.url.startsWith('/v1/');
}

/**
 * What follows the scheme, also where it is no token (RFC 6750 §2.1): who sends a broken one is not taken for nobody.
 * Other schemes are none of ours.
 */
function bearerOf(authorization: string | undefined): string | undefined {
  const match = /^bearer(?:\s+(.*))?$/is.exec(authorization?.trim() ?? '');
  return match ? (match[1] ?? '') : undefined;
}

function apiKeyOf(request: FastifyRequest): string | undefined {
  const header = request.headers['apikey'];
  if (typeof header === 'string' && header !== '') return header;
  const query = (request.query as Record<string, unknown> | undefined)?.['apikey'];
  return typeof query === 'string' && query !== '' ? query : undefined;
}

/** Refuses requests that carry neither a key nor a token, as Supabase's gateway does. */
@Injectable()
export class KeyRequiredGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (context.switchToHttp().getRequest<FastifyRequest>().galley.caller.kind !== 'keyless') return true;
    throw new AppError({
      code: 'no_api_key',
      status: 401,
      message: 'No API key found in request',
      hint: 'Send the project key in the `apikey` header.',
    });
  }
}

/** Admits secret keys and personal access tokens. */
@Injectable()
export class ServiceOnlyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { caller } = context.switchToHttp().getRequest<FastifyRequest>().galley;
    if (caller.kind === 'service' || caller.kind === 'manager') return true;
    throw secretKeyRequired('This needs a secret key or a personal access token');
  }
}

/**
 * Admits only the secret key of the first project, whose holder operates the installation. Access tokens are given
 * out by it: one that leaked must not make others that outlive it.
 */
@Injectable()
export class OperatorGuard implements CanActivate {
  constructor(private readonly projects: ProjectRegistry) {}

  canActivate(context: ExecutionContext): boolean {
    const { caller, project } = context.switchToHttp().getRequest<FastifyRequest>().galley;
    if (caller.kind === 'service' && project === this.projects.first) return true;
    throw secretKeyRequired('This needs the secret key');
  }
}

function secretKeyRequired(message: string): AppError {
  return new AppError({
    code: 'service_role_required',
    status: 403,
    message,
    hint: 'Send the secret key (sb_secret_…) or the service_role JWT as `Authorization: Bearer`.',
  });
}
