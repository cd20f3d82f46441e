import { AppError } from '#libs/platform';
import { setTimeout as delay } from 'node:timers/promises';
import { Cancellation } from '../cancellation.js';
import { invocationError, NotReached } from '../runtime/invocation.js';
import type { FunctionInstance, KillReason } from '../runtime/function-runtime.js';
import type { Slot } from './function-instances.js';
import { poolLimits } from './pool-limits.js';

/**
 * Runs `work` until it settles, its time is over, it is cancelled or the process ends, whichever is first; work that is
 * ended from outside is told so. What fails because the process died is reported by what the process died of, not by
 * the connection that broke.
 *
 * @param run.stop ends the instance, which took too long or is not wanted any more
 */
export async function runOnInstance<T>(
  run: { slot: Slot; wallTimeMs: number; cancellation: Cancellation; stop: (reason: KillReason) => void },
  work: (instance: FunctionInstance, ended: Cancellation) => Promise<T>,
): Promise<T> {
  const { slot, wallTimeMs, cancellation, stop } = run;
  const { instance } = slot;
  const ended = new Cancellation();
  let isOver = false;
  const end = (reason: KillReason, error: unknown) => {
    stop(reason);
    ended.cancel(error);
  };
  const onGone = async () => {
    // The answer may be complete and on its way: a function may exit right after it.
    await delay(poolLimits.lastAnswerMs);
    if (!isOver) ended.cancel(invocationError(instance.exit, undefined));
  };
  const timer = setTimeout(() => end('wall-time', timeIsUp()), wallTimeMs);
  const ignoreCancellation = cancellation.onCancel((reason) => end('cancelled', reason));
  // An instance outlives very many invocations.
  const ignoreGone = slot.gone.onCancel(() => void onGone());
  try {
    return await new Promise<T>((resolve, reject) => {
      ended.onCancel(reject);
      work(instance, ended).then(resolve, reject);
    });
  } catch (error) {
    if (ended.isCancelled) throw ended.reason;
    if (error instanceof NotReached) throw error;
    throw instance.stopping ? invocationError(await instance.exited, error) : error;
  } finally {
    isOver = true;
    clearTimeout(timer);
    ignoreCancellation();
    ignoreGone();
  }
}

/** The words of Edge Functions for an invocation that took longer than its wall time. */
function timeIsUp(): AppError {
  return new AppError({
    code: 'IDLE_TIMEOUT',
    status: 504,
    message: 'The function did not finish within its time limit',
  });
}
