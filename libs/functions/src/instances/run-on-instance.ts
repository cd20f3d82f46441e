import { AppError } from '#libs/platform';
import { setTimeout as delay } from 'node:timers/promises';
import { invocationError } from '../runtime/invocation.js';
import type { FunctionInstance, KillReason } from '../runtime/function-runtime.js';
import type { Slot } from './function-instances.js';
import { poolLimits } from './pool-limits.js';

/**
 * Runs `work` until it settles, its time is over, `signal` aborts or the process ends, whichever is first; work that
 * is ended from outside is told by its own signal. What fails because the process died is reported by what the process
 * died of, not by the connection that broke.
 *
 * @param run.stop ends the instance, which took too long or is not wanted any more
 */
export async function runOnInstance<T>(
  run: { slot: Slot; wallTimeMs: number; signal: AbortSignal; stop: (reason: KillReason) => void },
  work: (instance: FunctionInstance, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { slot, wallTimeMs, signal, stop } = run;
  const { instance } = slot;
  const ended = new AbortController();
  const end = (reason: KillReason, error: unknown) => {
    stop(reason);
    ended.abort(error);
  };
  const onGone = async () => {
    // The answer may be complete and on its way: a function may exit right after it.
    await delay(poolLimits.lastAnswerMs);
    ended.abort(invocationError(instance.exit, undefined));
  };
  const timer = setTimeout(() => end('wall-time', timeIsUp()), wallTimeMs);
  const onCancel = () => end('cancelled', signal.reason);
  const { signal: gone } = slot.gone;
  signal.addEventListener('abort', onCancel);
  gone.addEventListener('abort', onGone);
  if (gone.aborted) void onGone();
  const interrupted = new Promise<never>((_, reject) => {
    ended.signal.addEventListener('abort', () => reject(ended.signal.reason as Error));
  });
  interrupted.catch(() => {});
  try {
    return await Promise.race([work(instance, ended.signal), interrupted]);
  } catch (error) {
    if (ended.signal.aborted) throw ended.signal.reason;
    throw instance.stopping ? invocationError(await instance.exited, error) : error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onCancel);
    // An instance outlives very many invocations.
    gone.removeEventListener('abort', onGone);
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
