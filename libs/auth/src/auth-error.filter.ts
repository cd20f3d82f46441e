import { Catch, HttpException, Inject, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError, LOGGER, type Logger, isConnectionError, sqlStateOf } from '#libs/platform';
import { isUnstorableValue } from './database-error.js';
import {
  badJson,
  badJwt,
  noAuthorization,
  unavailable,
  validationFailed,
  WeakPasswordError,
} from './errors.js';

const apiVersionHeader = 'X-Supabase-Api-Version';
const apiVersion = '2024-01-01';

/** Answers what is thrown under `/auth/v1` in GoTrue's shape, by the API version that the request names. */
@Catch()
export class AuthErrorFilter implements ExceptionFilter {
  constructor(@Inject(LOGGER) private readonly logger: Logger) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const error = toAuthError(thrown);
    const requestId = request.galley?.requestId;
    if (error.status >= 500) this.logger.error({ ...withoutValues(thrown), requestId }, error.message);
    else if (error.cause) this.logger.warn({ ...withoutValues(error.cause), requestId }, error.message);

    const versioned = isVersioned(request.headers[apiVersionHeader.toLowerCase()]);
    // auth-js reads the error code where this version has it only when the answer repeats the header.
    if (versioned) reply.header(apiVersionHeader, apiVersion);
    reply
      .headers({ ...error.headers, 'x-sb-error-code': error.code })
      .status(error.status)
      .send(versioned ? versionedBody(error) : initialBody(error));
  }
}

/** The shape since `2024-01-01`. */
export function versionedBody(error: AppError): object {
  return { code: error.code, message: error.message, ...weakPassword(error) };
}

/** The shape of requests that name no version. */
export function initialBody(error: AppError): object {
  return { code: error.status, error_code: error.code, msg: error.message, ...weakPassword(error) };
}

function weakPassword(error: AppError): object {
  return error instanceof WeakPasswordError ? { weak_password: { reasons: error.reasons } } : {};
}

/** Versions are dates; the newest one not after the date that was asked for answers. */
export function isVersioned(asked: unknown): boolean {
  return typeof asked === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(asked) && asked >= apiVersion;
}

/** Puts the platform's and PostgreSQL's errors into GoTrue's vocabulary. */
export function toAuthError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return translated(thrown);
  if (isUnstorableValue(thrown))
    return validationFailed('A value cannot be stored: it holds characters PostgreSQL has no room for');
  // 53300: too many connections.
  if (isConnectionError(thrown) || sqlStateOf(thrown) === '53300') return unavailable();
  if (thrown instanceof HttpException && thrown.getStatus() < 500) {
    return new AppError({ code: 'validation_failed', status: thrown.getStatus(), message: thrown.message });
  }
  return new AppError({
    code: 'unexpected_failure',
    status: 500,
    message: 'Unexpected failure, please check server logs for more information',
  });
}

function translated(error: AppError): AppError {
  if (error.code.startsWith('token_')) {
    return badJwt(`invalid JWT: unable to parse or verify signature, ${error.message}`);
  }
  switch (error.code) {
    case 'no_api_key':
    case 'invalid_api_key':
      return new AppError({ code: noAuthorization().code, status: 401, message: error.message });
    case 'invalid_json':
      return badJson();
    case 'body_too_large':
      return new AppError({ code: 'request_entity_too_large', status: 413, message: error.message });
    case 'body_too_slow':
      return new AppError({ ...error, code: 'request_timeout', message: error.message });
    default:
      return error;
  }
}

/** PostgreSQL's `detail` quotes whole rows of auth.users, password hash included: it must not reach the log. */
function withoutValues(thrown: unknown): object {
  if (!(thrown instanceof Error)) return { thrown: typeof thrown };
  const { code, table, constraint, where } = thrown as {
    code?: string;
    table?: string;
    constraint?: string;
    where?: string;
  };
  return { sqlState: code, table, constraint, where, stack: thrown.stack };
}
