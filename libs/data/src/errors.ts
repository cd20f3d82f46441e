import { AppError } from '#libs/platform';
import { limits } from './limits.js';

interface ErrorParts {
  readonly message: string;
  readonly details?: AppError['details'];
  readonly hint?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** PostgREST's error codes that this API answers, with their HTTP status (postgrest.org, "Errors"). */
const statusOfCode = {
  PGRST100: 400,
  PGRST101: 405,
  PGRST102: 400,
  PGRST103: 416,
  PGRST105: 405,
  PGRST106: 406,
  PGRST107: 406,
  PGRST108: 400,
  PGRST109: 400,
  PGRST110: 400,
  PGRST111: 500,
  PGRST112: 500,
  PGRST114: 400,
  PGRST115: 400,
  PGRST116: 406,
  PGRST117: 405,
  PGRST118: 400,
  PGRST122: 400,
  PGRST123: 400,
  PGRST124: 400,
  PGRST125: 404,
  PGRST126: 404,
  PGRST127: 400,
  PGRST128: 400,
  PGRST200: 400,
  PGRST201: 300,
  PGRST202: 404,
  PGRST203: 300,
  PGRST204: 400,
  PGRST205: 404,
  PGRST002: 503,
} as const;

export type PgrstCode = keyof typeof statusOfCode;

/** An error of the data API; `details` and `hint` are answered as null when absent. */
export function pgrstError(code: PgrstCode, parts: ErrorParts): AppError {
  return new AppError({ code, status: statusOfCode[code], ...parts });
}

/** A request that is larger or deeper than `libs/data/src/limits.ts` allows. */
export function limitError(what: string, highest: number): AppError {
  return pgrstError('PGRST100', {
    message: `The request has more than ${highest} ${what}`,
    hint: 'Split it into several requests.',
  });
}

/** Names that a client sent, as far as an error repeats them. */
export function cutNames(text: string): string {
  const { namesInErrorsLength: longest } = limits;
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

/** A part of the PostgREST protocol that this server does not speak. */
export function notImplemented(details: string): AppError {
  return pgrstError('PGRST127', { message: 'Feature not implemented', details });
}

/** A path that names neither a table nor a function. */
export function pathError(cause?: unknown): AppError {
  return pgrstError('PGRST125', { message: 'Invalid path specified in request URL', cause });
}
