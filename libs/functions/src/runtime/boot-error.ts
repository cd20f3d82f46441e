import { AppError } from '#libs/platform';

/** Why an instance could not be started; `details` are for the function's author, `cause` for the operator's log. */
export function bootError(message: string, more: { details?: string | undefined; cause?: unknown } = {}) {
  return new AppError({ code: 'BOOT_ERROR', status: 503, message, ...more });
}

/** What failed on this host before the function could run: a full disk, say. The message names no path. */
export function hostError(cause: unknown): AppError {
  if (cause instanceof AppError) return cause;
  const { code } = cause as { code?: unknown };
  const reason = typeof code === 'string' ? ` (${code})` : '';
  return bootError(`The function did not start: this host failed to prepare it${reason}.`, { cause });
}

/** Nothing is begun any more; whoever asked may ask another process. */
export function shuttingDown(): AppError {
  return new AppError({ code: 'SHUTTING_DOWN', status: 503, message: 'The server is shutting down.' });
}
