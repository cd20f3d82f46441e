import { setTimeout as delay } from 'node:timers/promises';
import { invocationError } from '../runtime/invocation.js';
import type { FunctionInstance, KillReason } from '../runtime/function-runtime.js';
import type { Slot } from './function-instances.js';
import { poolLimits } from './pool-limits.js';

/**
 * Runs `work` until it settles, its time is over, `signal` aborts or the process ends, whichever is first. Work that
 * fails because its process died is reported by what the process died of, not by the connection that broke.
 */
export async function runOnInstance<T>(
  run: { slot: Slot; wallTimeMs: number; signal: AbortSignal; kill: (reason: KillReason) => void },
  work: (instance: FunctionInstance) => Promise<T>,
): Promise<T> {
  const { slot, wallTimeMs, signal, kill } = run;
  const { instance } = slot;
  const done = new AbortController();
  const timer = setTimeout(() => kill('wall-time'), wallTimeMs);
  const interrupted = new Promise<never>((_, reject) => {
    const onAbort = () => {
      // Others that share the process are not to die with this one.
      if (slot.running === 1) kill('cancelled');
      reject(signal.reason as Error);
    };
    const onGone = async () => {
      // The answer may be complete and on its way: a function may exit right after it.
      await delay(poolLimits.lastAnswerMs);
      reject(invocationError(instance.exit, undefined));
    };
    // Removed when done: an instance outlives very many invocations.
    signal.addEventListener('abort', onAbort, { signal: done.signal });
    slot.gone.signal.addEventListener('abort', () => void onGone(), { signal: done.signal });
    if (slot.gone.signal.aborted) void onGone();
  });
  interrupted.catch(() => {});
  try {
    return await Promise.race([work(instance), interrupted]);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw instance.stopping ? invocationError(await instance.exited, error) : error;
  } finally {
    clearTimeout(timer);
    done.abort();
  }
}
