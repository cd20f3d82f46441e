import {
  Catch,
  HttpException,
  HttpStatus,
  Inject,
  NotFoundException,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import { AppError, isConnectionError, LOGGER, type Logger } from '#libs/platform';
import { BudgetExceeded } from '#libs/usage';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { databaseUnavailable, methodNotAllowed } from './function-errors.js';

/**
 * Renders what goes wrong before or instead of a function's own answer, as Supabase's gateway and relay do. Faults of
 * the platform carry `x-relay-error`, by which SDKs tell them from answers; supabase-py looks for `x-relay-header`.
 */
@Catch()
export class FunctionsErrorFilter implements ExceptionFilter {
  constructor(@Inject(LOGGER) private readonly logger: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const reply = http.getResponse<FastifyReply>();
    const request = http.getRequest<FastifyRequest>();
    if (reply.sent) return;
    const problem = this.#appError(error, request);
    const { code, status, message, hint, headers } = problem;
    const isFault = status === 429 || status >= 500;
    void reply
      .status(status)
      .headers({
        'sb-error-code': code,
        ...(isFault && { 'x-relay-error': 'true', 'x-relay-header': 'true' }),
        // The function, which else answers browsers' questions itself, was not asked.
        'access-control-allow-origin': '*',
        'access-control-expose-headers':
          'sb-error-code, x-relay-error, x-relay-header, x-request-id, x-galley-invocation-id, retry-after',
        ...headers,
      })
      .send({
        code,
        message,
        ...(status === 401 && { msg: message }),
        ...(hint !== undefined && { hint }),
        ...(problem instanceof BudgetExceeded && { budget: problem.budget }),
      });
  }

  #appError(error: unknown, request: FastifyRequest): AppError {
    if (error instanceof AppError) return error;
    // All paths are answered, save by methods that no route can have.
    if (error instanceof NotFoundException) return methodNotAllowed(request.method);
    // A request that Fastify would not read.
    if (error instanceof HttpException && error.getStatus() < 500) {
      const status = error.getStatus();
      return new AppError({ code: HttpStatus[status] ?? 'BAD_REQUEST', status, message: error.message });
    }
    this.logger.error({ err: error, requestId: request.galley.requestId }, 'A function could not be called');
    if (isConnectionError(error)) return databaseUnavailable(error);
    return new AppError({ code: 'INTERNAL_ERROR', status: 500, message: 'Internal error' });
  }
}
