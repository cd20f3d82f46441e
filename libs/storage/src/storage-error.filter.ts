import { Catch, HttpException, Inject, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  AppError,
  functionClaims,
  isConnectionError,
  LOGGER,
  sqlStateOf,
  type Caller,
  type Logger,
} from '#libs/platform';
import { databaseError } from './database-error.js';
import { unavailable } from './errors.js';

/** Answers what is thrown under `/storage/v1` in storage-api's shape: `{ statusCode, error, message, code }`. */
@Catch()
export class StorageErrorFilter implements ExceptionFilter {
  constructor(@Inject(LOGGER) private readonly logger: Logger) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const error = toldToFunctions(toStorageError(thrown), request.galley.caller);
    if (isClientGone(reply)) {
      this.logger.debug({ err: thrown, requestId: request.galley.requestId }, 'client went away');
    } else if (error.status >= 500) {
      this.logger.error({ err: thrown, requestId: request.galley.requestId }, 'storage failed');
    }
    if (reply.sent) return;
    const label = labels[error.code] ?? error.code;
    void reply
      .status(httpStatus(error))
      .headers({ 'cache-control': 'no-store', ...error.headers })
      .header('content-type', 'application/json; charset=utf-8')
      .send({ statusCode: String(error.status), error: label, message: error.message, code: error.code });
  }
}

function isClientGone(reply: FastifyReply): boolean {
  return reply.raw.destroyed && !reply.raw.writableFinished;
}

/** A function may do what it declares; that it may not is told as to people: the object is not there, or a policy refuses. */
function toldToFunctions(error: AppError, caller: Caller): AppError {
  const slug = functionClaims(caller)?.function;
  if (slug === undefined || !/^(AccessDenied|NoSuchKey|NoSuchBucket)$/.test(error.code)) return error;
  const hint = `galley.toml declares what the function may read and write: [functions.${slug}.permissions] buckets`;
  return new AppError({ ...error, message: `${error.message} (${hint})`, cause: error });
}

/** What storage-api puts into `error` where that is not the code itself. */
const labels: Readonly<Record<string, string>> = {
  NoSuchBucket: 'Bucket not found',
  NoSuchKey: 'not_found',
  AccessDenied: 'Unauthorized',
  InvalidJWT: 'InvalidJWT',
  ResourceAlreadyExists: 'Duplicate',
  KeyAlreadyExists: 'Duplicate',
  BucketAlreadyExists: 'Duplicate',
  InvalidMimeType: 'invalid_mime_type',
  InvalidRange: 'invalid_range',
  InvalidBucketName: 'Invalid Input',
  EntityTooLarge: 'Payload too large',
  SlowDown: 'too_many_connections',
  NoApiKey: 'Unauthorized',
};

/**
 * storage-api answers 400 and says the real status in the body. Kept as they are: what players (416), clients'
 * retries (429, 5xx) and the gateway's own refusals (401) rest on.
 */
function httpStatus({ status }: AppError): number {
  return status >= 500 || status === 429 || status === 416 || status === 401 ? status : 400;
}

/** Puts the platform's and PostgreSQL's errors into storage-api's vocabulary. */
export function toStorageError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return translated(thrown);
  if (thrown instanceof HttpException && thrown.getStatus() < 500) {
    return new AppError({ code: 'InvalidRequest', status: thrown.getStatus(), message: thrown.message });
  }
  if (isConnectionError(thrown)) return unavailable();
  const sqlState = sqlStateOf(thrown);
  if (sqlState !== undefined) return databaseError(sqlState, (thrown as Error).message);
  return new AppError({ code: 'InternalError', status: 500, message: 'Internal server error' });
}

function translated(error: AppError): AppError {
  if (error.code.startsWith('token_')) {
    return new AppError({ code: 'InvalidJWT', status: 403, message: error.message });
  }
  switch (error.code) {
    case 'no_api_key':
    case 'invalid_api_key':
      return new AppError({ code: 'NoApiKey', status: 401, message: error.message });
    case 'invalid_json':
      return new AppError({ code: 'InvalidRequest', status: 400, message: error.message });
    case 'body_too_large':
    case 'event_too_large':
      return new AppError({ code: 'EntityTooLarge', status: 413, message: error.message });
    case 'body_too_slow':
      return new AppError({ ...error, code: 'RequestTimeout', message: error.message });
    case 'too_busy':
      return new AppError({ ...error, code: 'SlowDown', message: error.message });
    default:
      return error;
  }
}
