import type { KillReason } from './function-runtime.js';
import { runtimeLimits as limits } from './runtime-limits.js';

/**
 * Whether a process is told before it is killed, by a `beforeunload` event with the reason in edge-runtime's words, and
 * how long it has then. One that does not listen for the event is killed at once. One that took more memory than it may,
 * spins, must make room for another or does what nobody wants any more gets no time at all.
 */
export const lastWordsOf: Partial<Record<KillReason, { reason: string; withinMs: number }>> = {
  idle: { reason: 'early_drop', withinMs: limits.unloadMs },
  removed: { reason: 'termination', withinMs: limits.unloadMs },
  shutdown: { reason: 'termination', withinMs: limits.unloadMs },
  'wall-time': { reason: 'wall_clock', withinMs: limits.overtimeUnloadMs },
};
