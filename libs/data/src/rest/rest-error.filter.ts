import { Catch, Inject, Optional, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { LOGGER, type Logger } from '#libs/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { errorResponse, unforeseenResponse } from '../response/error-response.js';
import { minimalError } from '../response/json-error.js';
import { RestConfiguration } from '../settings/rest-configuration.js';

/** Answers every error of the data API in PostgREST's shape and logs those nobody foresaw. */
@Catch()
export class RestErrorFilter implements ExceptionFilter {
  /** What fails before a controller tells nothing of a database, and is answered without the settings. */
  constructor(
    @Inject(LOGGER) private readonly logger: Logger,
    @Optional() private readonly configuration?: RestConfiguration,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const { galley, headers } = http.getRequest<FastifyRequest>();
    let response = errorResponse(error, galley.caller, headers.authorization);
    if (!response) {
      this.logger.error({ err: error, requestId: galley.requestId }, 'A data API request failed');
      response = unforeseenResponse();
    }
    const settings = this.configuration?.of(galley.project).known;
    if (settings?.clientErrorVerbosity === 'minimal') response = minimalError(response);
    const reply = http.getResponse<FastifyReply>();
    if (response.statusText !== undefined) reply.raw.statusMessage = response.statusText;
    void reply.status(response.status).headers(response.headers).send(response.body);
  }
}
