import { Catch, Inject, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { AuthErrorFilter } from '#libs/auth';
import { RestErrorFilter } from '#libs/data';
import { FunctionsErrorFilter } from '#libs/functions';
import { LOGGER, PlatformErrorFilter, type Logger } from '#libs/platform';
import { StorageErrorFilter } from '#libs/storage';
import type { FastifyRequest } from 'fastify';
import { serviceOf, type Service } from './service.js';

/**
 * Answers what fails before a controller is reached (a broken body, an unknown path) in the shape of the service
 * that the path names. Controllers have their service's filter of their own.
 */
@Catch()
export class ServiceErrorFilter implements ExceptionFilter {
  readonly #filters: Partial<Record<Service, ExceptionFilter>>;
  readonly #other: ExceptionFilter;

  constructor(@Inject(LOGGER) logger: Logger) {
    this.#other = new PlatformErrorFilter(logger);
    this.#filters = {
      auth: new AuthErrorFilter(logger),
      rest: new RestErrorFilter(logger),
      storage: new StorageErrorFilter(logger),
      functions: new FunctionsErrorFilter(logger),
    };
  }

  catch(error: unknown, host: ArgumentsHost): void {
    const service = serviceOf(host.switchToHttp().getRequest<FastifyRequest>());
    (this.#filters[service] ?? this.#other).catch(error, host);
  }
}
