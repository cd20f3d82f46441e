import { Catch, HttpException, Inject, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isConnectionError } from '../database/database-error.js';
import { AppError } from '../errors/app-error.js';
import type { Logger } from '../logging/logger.js';
import { LOGGER } from '../injection-tokens.js';

const databaseAway = {
  status: 503,
  code: 'database_unavailable',
  message: 'The database cannot be reached just now',
  headers: { 'retry-after': '1' },
};

/** The last filter: renders what no protocol's own filter took, as `{ code, message, hint }`. */
@Catch()
export class PlatformErrorFilter implements ExceptionFilter {
  constructor(@Inject(LOGGER) private readonly logger: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const reply = http.getResponse<FastifyReply>();
    const request = http.getRequest<FastifyRequest>();
    if (reply.sent) return;
    const { status, headers, ...body } = this.#render(error, request);
    void reply
      .status(status)
      .headers(headers ?? {})
      .send(body);
  }

  #render(error: unknown, request: FastifyRequest) {
    if (error instanceof AppError) {
      const { status, headers, code, message, hint } = error;
      return { status, headers, code, message, hint };
    }
    if (error instanceof HttpException) {
      const status = error.getStatus();
      const missing = status === 404;
      return {
        status,
        code: missing ? 'not_found' : 'bad_request',
        message: missing ? `There is no ${request.method} ${request.url.split('?')[0]}` : error.message,
        headers: undefined,
      };
    }
    const fastifyError = error as { statusCode?: number; code?: string; message?: string };
    if (typeof fastifyError.statusCode === 'number' && fastifyError.statusCode < 500) {
      return {
        status: fastifyError.statusCode,
        code: fastifyError.code ?? 'bad_request',
        message: fastifyError.message ?? 'Bad request',
        headers: undefined,
      };
    }
    this.logger.error(
      { err: error, requestId: request.galley?.requestId, method: request.method },
      'Request failed',
    );
    if (isConnectionError(error)) return databaseAway;
    return { status: 500, code: 'internal', message: 'Internal error', headers: undefined };
  }
}
