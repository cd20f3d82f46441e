import { AppError } from '#libs/platform';
import type { InstanceExit, InvocationResponse } from './function-runtime.js';

/** @throws AppError `INVALID_RESPONSE_STATUS_CODE` (502) for a status that no client could read; the body is given up */
export function checkStatus({ status, socket, body }: InvocationResponse): void {
  if (socket || (status >= 200 && status <= 599)) return;
  if (!Buffer.isBuffer(body)) body.destroy();
  throw new AppError({
    code: 'INVALID_RESPONSE_STATUS_CODE',
    status: 502,
    message: `The function answered with the status ${status}, which is not between 200 and 599.`,
  });
}

/** The process takes no connection any more, so that nothing of the request has reached it: another one may be asked. */
export class NotReached extends AppError {
  constructor(cause: unknown) {
    super({
      code: 'WORKER_ERROR',
      status: 500,
      message: "The function's process takes no connections. The function's log tells why.",
      cause,
    });
  }
}

/** Whether nobody listens at a Unix socket any more; of any other failure to connect the process is not the cause. */
export function isNotReached(error: NodeJS.ErrnoException): boolean {
  return error.syscall === 'connect' && (error.code === 'ECONNREFUSED' || error.code === 'ENOENT');
}

/** What became of an invocation whose process ended or whose connection broke, in the vocabulary of Edge Functions. */
export function invocationError(exit: InstanceExit | null, cause: unknown): AppError {
  switch (exit?.reason) {
    case 'memory-limit':
      return workerLimit('The function used more memory than its limit.', cause);
    case 'cpu-limit':
      return workerLimit('The function used more CPU time than its limit.', cause);
    case 'wall-time':
      // Of an instance without a pool: the pool itself answers IDLE_TIMEOUT to the call whose time is over.
      return workerLimit('The function ran longer than its time limit.', cause);
    case 'exit':
    case 'crash':
      return workerError(`The function's process ended (${describe(exit)}) before it had answered.`, cause);
    case undefined:
      return workerError('The function did not answer with a valid HTTP response.', cause);
    default:
      return workerError(`The function was stopped (${exit?.reason}) before it had answered.`, cause);
  }
}

function workerLimit(message: string, cause: unknown): AppError {
  return new AppError({ code: 'WORKER_LIMIT', status: 546, message, cause });
}

function workerError(message: string, cause: unknown): AppError {
  const text = `${message} The function's log tells why.`;
  return new AppError({ code: 'WORKER_ERROR', status: 500, message: text, cause });
}

function describe(exit: InstanceExit): string {
  return exit.signal ? exit.signal : `code ${exit.code}`;
}
