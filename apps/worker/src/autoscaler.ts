import { queueNameOf, type ConsumerLoad, type JobQueue } from '#libs/events';
import { InstanceTarget, scalingLimits, type ScalingDecision } from '#libs/functions';
import type { Logger } from '#libs/platform';

/** What the deployments of a function allow its events. */
export interface EventCapacity {
  readonly maxInstances: number;
  /** Invocations that one instance runs at once, on average. */
  readonly concurrency: number;
}

/** A function with work. */
export interface BusyFunction {
  readonly projectRef: string;
  readonly functionSlug: string;
  /** Of the oldest event that nobody has begun, 0 when there is none; undefined: not looked up. */
  readonly oldestAgeMs?: number;
  /** What this worker has of its jobs. */
  readonly own?: ConsumerLoad;
}

/** What was last decided about a function, and of what. */
export interface ScaledFunction {
  readonly projectRef: string;
  readonly functionSlug: string;
  readonly oldestAgeMs: number;
  readonly backlog: number;
  readonly active: number;
  readonly decision: ScalingDecision;
}

/** What runs within so many ms is prepared ahead, up to so much. */
const prepared = { ms: 25, most: 100 };

interface Followed {
  readonly target: InstanceTarget;
  /** A moving average; null while no run has ended. */
  serviceMs: number | null;
  last: ScaledFunction | null;
}

/** Functions without work whose runs' length is remembered, those that rested last. */
const rememberedAtRest = 1_000;

/** Decides for this worker how many instances the events of each function may use, by what waits in its queue. */
export class Autoscaler {
  readonly #followed = new Map<string, Followed>();

  constructor(
    private readonly queue: JobQueue,
    private readonly capacityOf: (projectRef: string, functionSlug: string) => Promise<EventCapacity>,
    private readonly logger: Logger,
  ) {}

  /** The newest decisions. */
  get functions(): ScaledFunction[] {
    return [...this.#followed.values()].flatMap(({ last }) => last ?? []);
  }

  /**
   * Resolves to how many of the function's jobs this worker is to run at once, at least one, and how many it is to hold:
   * those that the next decision may let it run, and no more, so that other workers find the rest. What runs within moments
   * may be prepared ahead.
   */
  async jobsAtOnce(busy: BusyFunction): Promise<{ now: number; held: number; ahead: number }> {
    const { projectRef, functionSlug, own = { jobs: 0, waiting: 0, running: 0 } } = busy;
    const followed = this.#follow(projectRef, functionSlug);
    const [counts, capacity] = await Promise.all([
      this.queue.counts(queueNameOf(projectRef, functionSlug)),
      this.capacityOf(projectRef, functionSlug),
    ]);
    const waiting = counts.waiting + own.waiting;
    const active = Math.max(0, counts.active - own.jobs) + own.running;
    const { serviceMs, last } = followed;
    const oldestAgeMs = busy.oldestAgeMs ?? last?.oldestAgeMs ?? 0;
    const instances = last?.decision.instances ?? 0;
    // Whoever asks knows of work, which the counts may not show yet.
    const load = { backlog: Math.max(waiting, active === 0 ? 1 : 0), active, oldestAgeMs };
    const decision = followed.target.decide(load, { instances, serviceMs, ...capacity }, performance.now());
    followed.last = { projectRef, functionSlug, oldestAgeMs, backlog: waiting, active, decision };
    if (decision.instances !== instances) {
      this.logger.info(
        {
          project: projectRef,
          function: functionSlug,
          ...load,
          serviceMs,
          from: instances,
          ...decision,
          ...capacity,
        },
        `Scaled the events of ${functionSlug} from ${instances} to ${decision.instances} instances`,
      );
    }
    const jobsOn = (count: number) => Math.max(1, Math.round(count * capacity.concurrency));
    const next = decision.instances + Math.max(scalingLimits.stepUp, decision.instances);
    const now = jobsOn(decision.instances);
    const ahead = serviceMs === null ? 0 : Math.floor((now * prepared.ms) / serviceMs);
    return {
      now,
      held: jobsOn(Math.min(next, capacity.maxInstances)),
      ahead: Math.min(ahead, prepared.most),
    };
  }

  noteRun(projectRef: string, functionSlug: string, tookMs: number): void {
    const followed = this.#follow(projectRef, functionSlug);
    const before = followed.serviceMs ?? tookMs;
    followed.serviceMs = before + (tookMs - before) * scalingLimits.serviceWeight;
  }

  /** There is no work any more: it is back at none. */
  rest(projectRef: string, functionSlug: string): void {
    const key = keyOf(projectRef, functionSlug);
    const followed = this.#followed.get(key);
    if (!followed?.last) return;
    this.logger.info(
      { project: projectRef, function: functionSlug, from: followed.last.decision.instances },
      `Scaled the events of ${functionSlug} to none: nothing waits`,
    );
    // How long its runs take is worth remembering, for a while.
    this.#followed.delete(key);
    this.#followed.set(key, { ...followed, target: new InstanceTarget(), last: null });
    const resting = [...this.#followed].filter(([, { last }]) => last === null);
    for (const [oldest] of resting.slice(0, -rememberedAtRest)) this.#followed.delete(oldest);
  }

  #follow(projectRef: string, functionSlug: string): Followed {
    const key = keyOf(projectRef, functionSlug);
    const known = this.#followed.get(key);
    const followed = known ?? { target: new InstanceTarget(), serviceMs: null, last: null };
    if (!known) this.#followed.set(key, followed);
    return followed;
  }
}

function keyOf(projectRef: string, functionSlug: string): string {
  return `${projectRef}/${functionSlug}`;
}
