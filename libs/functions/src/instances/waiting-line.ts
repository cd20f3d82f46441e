import { AppError } from '#libs/platform';
import type { Cancellation } from '../cancellation.js';
import { poolLimits } from './pool-limits.js';

/** A place in the line for an instance. */
interface Waiter<T> {
  settle(outcome: { value: T } | { error: unknown }): void;
}

/** The calls of one function that wait for an instance, first come first served. */
export class WaitingLine<T> {
  readonly #waiters: Waiter<T>[] = [];

  get length(): number {
    return this.#waiters.length;
  }

  /**
   * Waits for `serveNext`. Rejects with the reason when cancelled, and with AppError `RATE_LIMIT_EXCEEDED`
   * (429, `Retry-After`) when `limit` others wait already or after `timeoutMs`.
   */
  wait(options: { limit: number; timeoutMs: number; cancellation: Cancellation }): Promise<T> {
    const { limit, timeoutMs, cancellation } = options;
    if (cancellation.isCancelled) return Promise.reject(cancellation.reason as Error);
    if (this.#waiters.length >= limit)
      return Promise.reject(tooMany('Too many calls are waiting for this function.'));
    return new Promise<T>((resolve, reject) => {
      const waiter: Waiter<T> = {
        settle: (outcome) => {
          clearTimeout(timer);
          ignore();
          if ('value' in outcome) resolve(outcome.value);
          else reject(outcome.error as Error);
        },
      };
      const leave = (error: unknown) => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        waiter.settle({ error });
      };
      const timer = setTimeout(
        () => leave(tooMany(`No instance became free within ${timeoutMs} ms.`)),
        timeoutMs,
      );
      const ignore = cancellation.onCancel(leave);
      this.#waiters.push(waiter);
    });
  }

  serveNext(value: T): void {
    this.#waiters.shift()?.settle({ value });
  }

  failNext(error: unknown): void {
    this.#waiters.shift()?.settle({ error });
  }
}

function tooMany(message: string): AppError {
  return new AppError({
    code: 'RATE_LIMIT_EXCEEDED',
    status: 429,
    message,
    headers: { 'Retry-After': `${poolLimits.retryAfterSeconds}` },
  });
}
