import { AppError } from '#libs/platform';
import type {
  FunctionInstance,
  FunctionRuntime,
  InstanceSpec,
  KillReason,
} from '../runtime/function-runtime.js';
import { FunctionInstances, type PoolOptions, type Slot, type StartKind } from './function-instances.js';
import { poolLimits } from './pool-limits.js';
import { runOnInstance } from './run-on-instance.js';

export type { PoolOptions, StartKind } from './function-instances.js';

export interface PoolStatistics {
  /** Processes, those being started included. */
  readonly instances: number;
  readonly busy: number;
  readonly waiting: number;
  readonly functions: readonly { key: string; instances: number; busy: number; waiting: number }[];
}

/**
 * All instances of this process of ours, shared out among functions. An instance only ever runs one deployment.
 *
 * A call takes a free instance of its deployment, else one is started, else the call waits its turn. When the
 * host's budget is used up, the longest idle instance of any other function makes room; when none is idle, functions
 * that want one get the next place that frees in turn, and a function with several yields one to a function with
 * none. Unused instances are killed after `idleMs`: then nothing runs, and no timer either.
 */
export class InstancePool {
  readonly #functions = new Map<string, FunctionInstances>();
  /** Functions that want one more instance than the host has room for, in the order in which they get it. */
  readonly #wanting = new Set<FunctionInstances>();
  #closing = false;
  #onQuiet: (() => void) | null = null;

  /** @param budget processes that may exist at once, of all functions together. */
  constructor(
    private readonly runtime: FunctionRuntime,
    private readonly budget: number,
  ) {}

  /**
   * Runs `work` on an instance of `deploymentKey`, started with what `makeSpec` gives if need be. The work is done
   * when its promise settles: a response body must be read by then.
   *
   * Aborting `signal` ends the waiting at once; work that runs is cancelled by killing its process, unless other
   * invocations share it. Pass no client's disconnect here that the function may outlive.
   * @throws AppError `RATE_LIMIT_EXCEEDED` (429) when the line is full or too slow, `BOOT_ERROR` (503) when the
   * instance did not start, `WORKER_LIMIT` (546) when time or memory ran out, `WORKER_ERROR` (500) when it died.
   */
  async withInstance<T>(
    deploymentKey: string,
    makeSpec: () => InstanceSpec | Promise<InstanceSpec>,
    options: PoolOptions,
    signal: AbortSignal,
    work: (instance: FunctionInstance, start: StartKind) => Promise<T>,
  ): Promise<T> {
    if (this.#closing) throw shuttingDown();
    signal.throwIfAborted();
    const group = this.#group(deploymentKey, makeSpec, options);
    const slot = this.#takeFree(group) ?? (await this.#waitForSlot(group, signal));
    const start: StartKind = slot.uses++ === 0 ? 'cold' : 'warm';
    const kill = (reason: KillReason) => this.#remove(group, slot, reason);
    try {
      const run = { slot, wallTimeMs: options.wallTimeMs, signal, kill };
      return await runOnInstance(run, (instance) => work(instance, start));
    } finally {
      this.#release(group, slot);
    }
  }

  /** Lets no more work onto the present instances of a deployment: they are killed when their work has ended. */
  retire(deploymentKey: string): void {
    const group = this.#functions.get(deploymentKey);
    for (const slot of group?.slots ?? []) {
      slot.retired = true;
      if (slot.running === 0) this.#remove(group!, slot, 'removed');
    }
  }

  statistics(): PoolStatistics {
    const functions = [...this.#functions.values()].map((group) => ({
      key: group.key,
      instances: group.size,
      busy: [...group.slots].filter((slot) => slot.running > 0).length,
      waiting: group.line.length,
    }));
    const total = (name: 'instances' | 'busy' | 'waiting') =>
      functions.reduce((sum, each) => sum + each[name], 0);
    return { instances: total('instances'), busy: total('busy'), waiting: total('waiting'), functions };
  }

  /** Refuses new calls, fails those that wait and kills every instance. Finish running work before by `drain`. */
  async close(): Promise<void> {
    this.#closing = true;
    const exits: Promise<unknown>[] = [];
    for (const group of this.#functions.values()) {
      while (group.line.length > 0) group.line.failNext(shuttingDown());
      for (const slot of group.slots) {
        exits.push(slot.instance.exited);
        this.#remove(group, slot, 'shutdown');
      }
    }
    await Promise.all(exits);
  }

  /** Refuses new calls and waits until those accepted have ended, at most `timeoutMs`. */
  async drain(timeoutMs: number): Promise<void> {
    this.#closing = true;
    const { busy, waiting } = this.statistics();
    if (busy + waiting === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onQuiet = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #checkQuiet(): void {
    const { busy, waiting } = this.statistics();
    if (busy + waiting === 0) this.#onQuiet?.();
  }

  #group(
    key: string,
    makeSpec: () => InstanceSpec | Promise<InstanceSpec>,
    options: PoolOptions,
  ): FunctionInstances {
    let group = this.#functions.get(key);
    if (!group) this.#functions.set(key, (group = new FunctionInstances(key, options, makeSpec)));
    group.options = options;
    group.makeSpec = makeSpec;
    return group;
  }

  /** Nobody may overtake those who wait. */
  #takeFree(group: FunctionInstances): Slot | null {
    const slot = group.line.length === 0 ? group.freeSlot() : null;
    if (slot) this.#occupy(group, slot);
    return slot;
  }

  #waitForSlot(group: FunctionInstances, signal: AbortSignal): Promise<Slot> {
    const { queueLimit, waitTimeoutMs, maxInstances, concurrencyPerInstance } = group.options;
    // Calls that an instance is being started for do not wait for one that others use.
    const places = Math.min(maxInstances - group.slots.size, this.budget - this.#size() + group.starting);
    const limit = queueLimit + Math.max(0, places) * concurrencyPerInstance;
    const slot = group.line.wait({ limit, timeoutMs: waitTimeoutMs, signal });
    this.#startIfWanted(group);
    return slot.finally(() => this.#forgetIfUnused(group));
  }

  #occupy(group: FunctionInstances, slot: Slot): void {
    group.stopIdleTimer(slot);
    slot.running += 1;
  }

  #release(group: FunctionInstances, slot: Slot): void {
    slot.running -= 1;
    slot.idleSince = performance.now();
    if (this.#closing) this.#checkQuiet();
    if (!group.slots.has(slot)) return;
    if (slot.instance.stopping) return this.#remove(group, slot, 'removed');
    if (slot.running === 0 && (slot.retired || this.#mustYield(group, slot))) {
      return this.#remove(group, slot, slot.retired ? 'removed' : 'evicted');
    }
    if (group.line.length > 0 && !slot.retired) this.#serve(group, slot);
    else if (slot.running === 0) this.#becomeIdle(group, slot);
  }

  #serve(group: FunctionInstances, slot: Slot): void {
    while (group.line.length > 0 && slot.running < group.options.concurrencyPerInstance) {
      this.#occupy(group, slot);
      group.line.serveNext(slot);
    }
  }

  #becomeIdle(group: FunctionInstances, slot: Slot): void {
    if (group.options.idleMs === 0 && !slot.instance.hasBackgroundWork)
      return this.#remove(group, slot, 'idle');
    group.startIdleTimer(slot, () => this.#remove(group, slot, 'idle'));
    this.#shareOut();
  }

  /** Whether a function that waits for room has a better claim to this place, now that its work has ended. */
  #mustYield(group: FunctionInstances, slot: Slot): boolean {
    const next = [...this.#wanting].find((other) => other !== group && other.wantsInstance);
    if (!next) return false;
    if (group.line.length === 0) return true;
    const turnIsOver = performance.now() - slot.grantedAt >= poolLimits.turnMs;
    return turnIsOver && (next.size === 0 || group.size > next.size + 1);
  }

  #remove(group: FunctionInstances, slot: Slot, reason: KillReason): void {
    if (!group.slots.has(slot)) return;
    group.remove(slot, reason);
    this.#startIfWanted(group);
    this.#forgetIfUnused(group);
  }

  #startIfWanted(group: FunctionInstances): void {
    if (group.wantsInstance) this.#wanting.add(group);
    this.#shareOut();
  }

  /** Gives free places, and those of idle instances, to the functions that want one, in turn. */
  #shareOut(): void {
    for (const group of this.#wanting) {
      if (!group.wantsInstance) {
        this.#wanting.delete(group);
        continue;
      }
      if (this.#size() >= this.budget && !this.#evictIdleOf(group)) return;
      this.#start(group);
      // A set keeps the order of insertion: who has been served goes to the end, and is met again by this loop.
      this.#wanting.delete(group);
      if (group.wantsInstance) this.#wanting.add(group);
    }
  }

  #evictIdleOf(wanting: FunctionInstances): boolean {
    let longest: { group: FunctionInstances; slot: Slot } | null = null;
    for (const group of this.#functions.values()) {
      const slot = group === wanting ? null : group.longestIdle();
      if (slot && (!longest || slot.idleSince < longest.slot.idleSince)) longest = { group, slot };
    }
    if (!longest) return false;
    longest.group.remove(longest.slot, 'evicted');
    this.#forgetIfUnused(longest.group);
    return true;
  }

  #start(group: FunctionInstances): void {
    group.starting += 1;
    void this.#startInstance(group).then(
      (instance) => {
        group.starting -= 1;
        this.#welcome(group, instance);
      },
      (error: unknown) => {
        group.starting -= 1;
        group.line.failNext(error);
        this.#startIfWanted(group);
        this.#forgetIfUnused(group);
        if (this.#closing) this.#checkQuiet();
      },
    );
  }

  async #startInstance(group: FunctionInstances): Promise<FunctionInstance> {
    return this.runtime.start(await group.makeSpec());
  }

  #welcome(group: FunctionInstances, instance: FunctionInstance): void {
    if (this.#closing && group.line.length === 0) return instance.kill('shutdown');
    const slot = group.add(instance);
    void instance.exited.then(() => {
      slot.gone.abort();
      this.#remove(group, slot, 'removed');
    });
    this.#serve(group, slot);
    if (slot.running === 0) this.#becomeIdle(group, slot);
  }

  #size(): number {
    let size = 0;
    for (const group of this.#functions.values()) size += group.size;
    return size;
  }

  #forgetIfUnused(group: FunctionInstances): void {
    if (group.isUnused && this.#functions.get(group.key) === group) this.#functions.delete(group.key);
  }
}

function shuttingDown(): AppError {
  return new AppError({ code: 'WORKER_ERROR', status: 503, message: 'The server is shutting down.' });
}
