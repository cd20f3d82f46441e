import { Catch, Inject, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { LOGGER, type Logger } from '#libs/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { errorResponse, unforeseenResponse } from '../response/error-response.js';

/** Answers every error of the data API in PostgREST's shape and logs those nobody foresaw. */
@Catch()
export class RestErrorFilter implements ExceptionFilter {
  constructor(@Inject(LOGGER) private readonly logger: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const { galley, headers } = http.getRequest<FastifyRequest>();
    let response = errorResponse(error, galley.caller, headers.authorization);
    if (!response) {
      this.logger.error({ err: error, requestId: galley.requestId }, 'A data API request failed');
      response = unforeseenResponse();
    }
    const reply = http.getResponse<FastifyReply>();
    if (response.statusText !== undefined) reply.raw.statusMessage = response.statusText;
    void reply.status(response.status).headers(response.headers).send(response.body);
  }
}
