import type { LoggerService } from '@nestjs/common';
import pino from 'pino';

export type Logger = pino.Logger;

/** Paths that may hold a credential; pino replaces their values. */
const redactedPaths = [
  'password',
  'token',
  'apikey',
  'authorization',
  '*.password',
  '*.token',
  '*.apikey',
  '*.authorization',
  'headers.cookie',
];

/** Structured JSON log lines on standard error, so that standard output stays the program's own. */
export function createLogger(options: { level: string; name: string }): Logger {
  return pino(
    {
      level: options.level,
      base: { process: options.name },
      redact: { paths: redactedPaths, censor: '[redacted]' },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: describeError },
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ fd: 2, sync: false }),
  );
}

/**
 * What is logged of an error. PostgreSQL's `detail`, `where` and `hint` stay out: they quote rows, and with them
 * people's data and password hashes.
 */
function describeError(error: Error & { code?: string; cause?: unknown }): Record<string, unknown> {
  const { name, message, stack, code, cause } = error;
  return {
    type: name,
    message,
    ...(code !== undefined && { code }),
    stack,
    ...(cause instanceof Error && { cause: describeError(cause) }),
  };
}

/** NestJS logs a failed start before it throws it on; whoever started it says it once. */
const rethrownContexts: readonly unknown[] = ['ExceptionHandler', 'NestApplication'];

/** Lets NestJS write through pino. Its start-up chatter is `debug` here. */
export function nestLogger(logger: Logger): LoggerService {
  const context = (params: unknown[]) => ({ context: params.at(-1) });
  return {
    log: (message: unknown, ...params: unknown[]) => logger.debug(context(params), String(message)),
    error: (message: unknown, ...params: unknown[]) => {
      const level = rethrownContexts.includes(params.at(-1)) ? 'debug' : 'error';
      logger[level]({ params }, String(message));
    },
    warn: (message: unknown, ...params: unknown[]) => logger.warn(context(params), String(message)),
    debug: (message: unknown, ...params: unknown[]) => logger.debug(context(params), String(message)),
    verbose: (message: unknown, ...params: unknown[]) => logger.trace(context(params), String(message)),
    fatal: (message: unknown, ...params: unknown[]) => logger.fatal(context(params), String(message)),
  };
}
