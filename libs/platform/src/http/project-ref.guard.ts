import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../errors/app-error.js';
import { ProjectRegistry } from '../project/project-registry.js';

/**
 * For routes with `:ref`: makes it the request's project. A key opens its own project alone; a personal access token
 * opens each. Who has neither is told of no project that it is there.
 */
@Injectable()
export class ProjectRefGuard implements CanActivate {
  constructor(private readonly projects: ProjectRegistry) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<FastifyRequest<{ Params: { ref: string } }>>();
    const { caller, project } = request.galley;
    const named = this.projects.get(request.params.ref);
    if (named && (named === project || caller.kind === 'manager')) {
      request.galley.project = named;
      return true;
    }
    throw new AppError({
      code: 'not_found',
      status: 404,
      message: `There is no project ${request.params.ref}`,
    });
  }
}
