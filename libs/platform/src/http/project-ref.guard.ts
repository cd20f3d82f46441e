import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../errors/app-error.js';

/** For routes with `:ref`: admits only the project whose key the request carries. */
@Injectable()
export class ProjectRefGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<FastifyRequest<{ Params: { ref: string } }>>();
    if (request.params.ref === request.galley.project.ref) return true;
    throw new AppError({
      code: 'not_found',
      status: 404,
      message: `There is no project ${request.params.ref}`,
    });
  }
}
