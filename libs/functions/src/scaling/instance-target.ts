import { scalingLimits as limits } from './scaling-limits.js';

/** What is known of a function's queue at a moment. */
export interface QueueLoad {
  /** Jobs that wait and may begin now. */
  readonly backlog: number;
  /** Jobs that run. */
  readonly active: number;
  /** Of the oldest job that waits. */
  readonly oldestAgeMs: number;
}

/** What is known of the function. */
export interface FunctionLoad {
  /** How many instances its jobs may use now. */
  readonly instances: number;
  readonly maxInstances: number;
  /** Invocations that one instance runs at once. */
  readonly concurrency: number;
  /** How long an invocation takes on average; null while none has ended. */
  readonly serviceMs: number | null;
}

export interface ScalingDecision {
  readonly instances: number;
  /** `panic`: so much has come at once that nothing is given back for a while. */
  readonly mode: 'stable' | 'panic';
  /** What this moment alone would want, and what the long and the short window want on average. */
  readonly wanted: { readonly now: number; readonly stable: number; readonly panic: number };
}

interface Sample {
  readonly atMs: number;
  readonly wanted: number;
  decided: number;
}

/**
 * How many instances the jobs of one function get: as many as work off its backlog within `targetWaitMs`, at
 * `targetUse` of what they can do. That is the `AverageValue` of Kubernetes' autoscaler on queue depth (it does not
 * depend on how many there are now), beside the age of the oldest job, which sees few and slow ones; averaged over a
 * long and a short window, with the panic mode of Knative's (knative.dev, "Configuring the Knative Pod Autoscaler").
 * Growth is that of the HPA (twice as many, or four more, whichever is more), and nothing is given back that was
 * wanted within `downWindowMs`.
 */
export class InstanceTarget {
  #samples: Sample[] = [];
  #panicUntilMs = -Infinity;

  /** @param nowMs of a monotonic clock */
  decide(queue: QueueLoad, fn: FunctionLoad, nowMs: number): ScalingDecision {
    const sample: Sample = { atMs: nowMs, wanted: wantedNow(queue, fn), decided: 0 };
    this.#samples = this.#samples.filter(({ atMs }) => nowMs - atMs < limits.stableWindowMs);
    this.#samples.push(sample);
    const stable = this.#average(limits.stableWindowMs, nowMs);
    const panic = this.#average(limits.panicWindowMs, nowMs);
    const current = Math.max(1, fn.instances);
    if (panic / current >= limits.panicRatio) this.#panicUntilMs = nowMs + limits.stableWindowMs;
    const panics = nowMs < this.#panicUntilMs;
    const wanted = Math.ceil(panics ? Math.max(panic, fn.instances) : stable);
    sample.decided = within(wanted, fn);
    const kept = Math.max(
      ...this.#samples.filter(({ atMs }) => nowMs - atMs < limits.downWindowMs).map(({ decided }) => decided),
    );
    const instances = queue.backlog + queue.active === 0 ? 0 : Math.max(1, Math.min(kept, fn.maxInstances));
    return { instances, mode: panics ? 'panic' : 'stable', wanted: { now: sample.wanted, stable, panic } };
  }

  #average(windowMs: number, nowMs: number): number {
    const samples = this.#samples.filter(({ atMs }) => nowMs - atMs < windowMs);
    return samples.reduce((sum, { wanted }) => sum + wanted, 0) / samples.length;
  }
}

function wantedNow({ backlog, active, oldestAgeMs }: QueueLoad, fn: FunctionLoad): number {
  const serviceMs = fn.serviceMs ?? limits.assumedServiceMs;
  const perInstance = limits.targetUse * fn.concurrency * Math.max(1, limits.targetWaitMs / serviceMs);
  const byDepth = Math.ceil((backlog + active) / Math.max(1, perInstance));
  const isLate = backlog > 0 && oldestAgeMs > limits.targetWaitMs;
  const byAge = isLate ? Math.ceil((Math.max(1, fn.instances) * oldestAgeMs) / limits.targetWaitMs) : 0;
  // However old they are: more instances than there are jobs would have nothing to do.
  return Math.max(byDepth, Math.min(byAge, Math.ceil((backlog + active) / fn.concurrency)));
}

function within(wanted: number, { instances, maxInstances }: FunctionLoad): number {
  const most = instances + Math.max(limits.stepUp, instances);
  const least = instances - Math.max(1, Math.floor(instances / 2));
  return Math.max(0, Math.min(Math.max(wanted, least), most, maxInstances));
}
