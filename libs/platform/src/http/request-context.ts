import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Caller } from '../caller.js';
import type { AppError } from '../errors/app-error.js';
import type { Project } from '../project/project.js';

/** What every request carries from the front door on: `request.galley`. */
export interface RequestContext {
  /** On routes that name a project, the one that {@link ProjectRefGuard} found. */
  project: Project;
  /** Follows the request into its log lines, events, jobs and functions. Answered as `x-request-id`. */
  readonly requestId: string;
  /** Set by {@link CallerGuard}. */
  caller: Caller;
  /** Why the credential is bad, on routes that decide themselves about it: see {@link LeavesBadCredentials}. */
  credentialError?: AppError;
}

declare module 'fastify' {
  interface FastifyRequest {
    galley: RequestContext;
  }
}

function contextOf(context: ExecutionContext): RequestContext {
  return context.switchToHttp().getRequest<FastifyRequest>().galley;
}

/** Controller parameter: the {@link RequestContext}. */
export const Context = createParamDecorator((_: unknown, context: ExecutionContext) => contextOf(context));
/** Controller parameter: the project the request is for. */
export const CurrentProject = createParamDecorator((_: unknown, c: ExecutionContext) => contextOf(c).project);
