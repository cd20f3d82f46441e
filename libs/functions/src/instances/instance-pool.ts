import { setImmediate as turnOfEvents } from 'node:timers/promises';
import type { Cancellation } from '../cancellation.js';
import { hostError, shuttingDown } from '../runtime/boot-error.js';
import { NotReached } from '../runtime/invocation.js';
import type {
  FunctionInstance,
  FunctionRuntime,
  InstanceSpec,
  KillReason,
} from '../runtime/function-runtime.js';
import { FunctionInstances, type PoolOptions, type Slot, type StartKind } from './function-instances.js';
import { HostPlaces, type HostBudget } from './host-places.js';
import { IdleGaps } from './idle-gaps.js';
import { poolLimits } from './pool-limits.js';
import { runOnInstance } from './run-on-instance.js';

export type { PoolOptions, StartKind } from './function-instances.js';

export interface PoolStatistics {
  /** Processes, those being started included. */
  readonly instances: number;
  /** What they may use. */
  readonly memoryBytes: number;
  readonly busy: number;
  readonly waiting: number;
  readonly functions: readonly {
    key: string;
    instances: number;
    memoryBytes: number;
    busy: number;
    waiting: number;
  }[];
}

/**
 * All instances of this process of ours, shared out among functions. An instance only ever runs one deployment.
 *
 * A call takes a free instance of its deployment, else one is started, else the call waits its turn. When the
 * host's budget is used up, the longest idle instance of any other function makes room; when none is idle, functions
 * that want one get the next place that frees in turn, and a function with several yields one to a function with
 * none. Unused instances are killed after `idleMs`: then nothing runs, and no timer either; save those that
 * {@link keepReady} asks for, which make room for nobody.
 */
export class InstancePool {
  readonly #places: HostPlaces;
  /** By function and deployment, also of those that have no instance; the one asked for last is at the end. */
  readonly #gaps = new Map<string, IdleGaps>();
  #closing = false;
  #onQuiet: (() => void) | null = null;

  /** @param budget what the processes of all functions together may take of this host */
  constructor(
    private readonly runtime: FunctionRuntime,
    budget: HostBudget,
  ) {
    this.#places = new HostPlaces(budget, (group) => this.#start(group));
  }

  /**
   * Runs `work` on an instance of `deploymentKey`, started with what `makeSpec` gives if need be. The work is done
   * when its promise settles: a response body must be read by then. It is told when it is ended from outside.
   *
   * A cancellation ends the waiting at once, and work that runs. Work that is ended so, or by its wall time, has its
   * process killed; if others share the process, it takes no more work and is killed after the last of them. Pass no
   * client's disconnect here that the function may outlive. Work that could not reach its process begins anew on another.
   * @throws AppError `RATE_LIMIT_EXCEEDED` (429) when the line is full or too slow, `BOOT_ERROR` (503) when the
   * instance did not start, `SHUTTING_DOWN` (503), `IDLE_TIMEOUT` (504) when time ran out, `WORKER_LIMIT` (546) when
   * memory did, `WORKER_ERROR` (500) when the process died.
   */
  async withInstance<T>(
    deploymentKey: string,
    makeSpec: () => InstanceSpec | Promise<InstanceSpec>,
    options: PoolOptions,
    cancellation: Cancellation,
    work: (instance: FunctionInstance, start: StartKind, ended: Cancellation) => Promise<T>,
  ): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      if (this.#closing) throw shuttingDown();
      cancellation.throwIfCancelled();
      const group = this.#group(deploymentKey, makeSpec, options);
      try {
        return await this.#runOn(group, cancellation, work);
      } catch (error) {
        if (!(error instanceof NotReached) || tries === poolLimits.reachTries) throw error;
      }
    }
  }

  async #runOn<T>(
    group: FunctionInstances,
    cancellation: Cancellation,
    work: (instance: FunctionInstance, start: StartKind, ended: Cancellation) => Promise<T>,
  ): Promise<T> {
    group.gaps.noteCall(performance.now());
    const { wallTimeMs } = group.options;
    const ready = this.#takeFree(group);
    const slot = ready ?? (await this.#waitForSlot(group, cancellation));
    const start: StartKind = slot.uses++ === 0 && !ready ? 'cold' : 'warm';
    const stop = (reason: KillReason) => {
      if (slot.running > 1) slot.retired = true;
      else this.#remove(group, slot, reason);
    };
    try {
      const run = { slot, wallTimeMs, cancellation, stop };
      return await runOnInstance(run, (instance, ended) => work(instance, start, ended));
    } finally {
      // What the function told before its answer, of background work say, may be read right after the answer's end.
      await turnOfEvents();
      this.#release(group, slot);
    }
  }

  /**
   * Keeps `count` instances of `deploymentKey` ready from now on, busy ones included, and starts anew what ends; 0 lets
   * the unused ones go.
   * @param onFailure is told why one did not start; it is tried again, later each time
   */
  keepReady(
    deploymentKey: string,
    makeSpec: () => InstanceSpec | Promise<InstanceSpec>,
    options: PoolOptions,
    kept: { count: number; onFailure: (error: unknown) => void },
  ): void {
    if (this.#closing) return;
    const group = this.#group(deploymentKey, makeSpec, options);
    group.minInstances = kept.count;
    group.onStartFailure = kept.onFailure;
    for (const slot of kept.count === 0 ? group.slots : []) {
      if (slot.running === 0 && !slot.instance.hasBackgroundWork) this.#remove(group, slot, 'idle');
    }
    this.#places.update(group);
  }

  statistics(): PoolStatistics {
    const functions = [...this.#places.groups.values()].map((group) => ({
      key: group.key,
      instances: group.size,
      memoryBytes: group.memoryBytes,
      busy: [...group.slots].filter((slot) => slot.running > 0).length,
      waiting: group.line.length,
    }));
    const total = (name: 'instances' | 'memoryBytes' | 'busy' | 'waiting') =>
      functions.reduce((sum, each) => sum + each[name], 0);
    return {
      instances: total('instances'),
      memoryBytes: total('memoryBytes'),
      busy: total('busy'),
      waiting: total('waiting'),
      functions,
    };
  }

  /** Refuses new calls, fails those that wait and kills every instance. Finish running work before by `drain`. */
  async close(): Promise<void> {
    this.#stopKeeping();
    const exits: Promise<unknown>[] = [];
    for (const group of this.#places.groups.values()) {
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
    this.#stopKeeping();
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

  #stopKeeping(): void {
    this.#closing = true;
    for (const group of this.#places.groups.values()) group.minInstances = 0;
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
    const { groups } = this.#places;
    let group = groups.get(key);
    if (!group) groups.set(key, (group = new FunctionInstances(key, this.#gapsOf(key), options, makeSpec)));
    group.options = options;
    group.makeSpec = makeSpec;
    return group;
  }

  #gapsOf(key: string): IdleGaps {
    const gaps = this.#gaps.get(key) ?? new IdleGaps();
    this.#gaps.delete(key);
    this.#gaps.set(key, gaps);
    if (this.#gaps.size > poolLimits.rememberedFunctions) this.#gaps.delete(this.#gaps.keys().next().value!);
    return gaps;
  }

  /** Nobody may overtake those who wait. */
  #takeFree(group: FunctionInstances): Slot | null {
    const slot = group.line.length === 0 ? group.freeSlot() : null;
    if (slot) this.#occupy(group, slot);
    return slot;
  }

  #waitForSlot(group: FunctionInstances, cancellation: Cancellation): Promise<Slot> {
    const { queueLimit, waitTimeoutMs, maxInstances, concurrencyPerInstance } = group.options;
    // Calls that an instance is being started for do not wait for one that others use.
    const places = Math.min(maxInstances - group.slots.size, this.#places.freeFor(group) + group.starting);
    const limit = queueLimit + Math.max(0, places) * concurrencyPerInstance;
    const slot = group.line.wait({ limit, timeoutMs: waitTimeoutMs, cancellation });
    for (const spinning of group.spinningSlots()) {
      void spinning.instance.calm().then(() => this.#settle(group, spinning));
    }
    this.#places.update(group);
    return slot.finally(() => this.#places.update(group));
  }

  #occupy(group: FunctionInstances, slot: Slot): void {
    group.stopIdleTimer(slot);
    slot.running += 1;
    if (group.options.oneUse) slot.retired = true;
  }

  #release(group: FunctionInstances, slot: Slot): void {
    slot.running -= 1;
    slot.idleSince = performance.now();
    group.noteEnd();
    if (this.#closing) this.#checkQuiet();
    this.#settle(group, slot);
  }

  /** Decides what to do with a slot on which work has ended. */
  #settle(group: FunctionInstances, slot: Slot): void {
    if (!group.slots.has(slot)) return;
    if (slot.instance.stopping) return this.#remove(group, slot, 'removed');
    if (slot.running === 0) {
      if (slot.retired && !slot.instance.hasBackgroundWork) return this.#remove(group, slot, 'removed');
      if (this.#places.mustYield(group, slot)) return this.#remove(group, slot, 'evicted');
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
    const { instance } = slot;
    const { idleMs } = group;
    const { wallTimeMs } = group.options;
    if (instance.hasBackgroundWork) {
      const leftMs = slot.idleSince + wallTimeMs - performance.now();
      group.startIdleTimer(slot, leftMs, () => this.#remove(group, slot, 'wall-time'));
      void instance.backgroundEnded().then(() => {
        // There may be more of it by now.
        if (slot.running === 0) this.#settle(group, slot);
      });
    } else {
      if (group.isAtMinimum) group.stopIdleTimer(slot);
      else if (idleMs === 0) return this.#remove(group, slot, 'idle');
      else group.startIdleTimer(slot, idleMs, () => this.#removeUnlessKept(group, slot));
    }
    this.#places.shareOut();
  }

  #removeUnlessKept(group: FunctionInstances, slot: Slot): void {
    if (!group.isAtMinimum) this.#remove(group, slot, 'idle');
  }

  #remove(group: FunctionInstances, slot: Slot, reason: KillReason): void {
    if (!group.slots.has(slot)) return;
    group.remove(slot, reason);
    this.#places.update(group);
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
        if (group.line.length === 0) group.onStartFailure?.(error);
        group.line.failNext(hostError(error));
        this.#noteFailure(group, 0);
        this.#places.update(group);
        if (this.#closing) this.#checkQuiet();
      },
    );
  }

  #noteFailure(group: FunctionInstances, livedMs: number): void {
    group.noteFailure(livedMs);
    if (group.minInstances > 0 && group.restartInMs > 0) this.#updateInTime(group);
  }

  /** Timers may be early: they count from when the work began that set them. */
  #updateInTime(group: FunctionInstances): void {
    const waitMs = group.restartInMs;
    if (waitMs <= 0) this.#places.update(group);
    else setTimeout(() => this.#updateInTime(group), Math.ceil(waitMs)).unref();
  }

  async #startInstance(group: FunctionInstances): Promise<FunctionInstance> {
    const spec = await group.makeSpec();
    const starting = this.runtime.start(spec);
    spec.onStart?.(starting);
    return starting;
  }

  #welcome(group: FunctionInstances, instance: FunctionInstance): void {
    if (this.#closing && group.line.length === 0) return instance.kill('shutdown');
    const slot = group.add(instance);
    void instance.exited.then(({ reason }) => {
      slot.gone.cancel(undefined);
      if (reason === 'exit' || reason === 'crash' || reason === 'spinning')
        this.#noteFailure(group, performance.now() - slot.grantedAt);
      this.#remove(group, slot, 'removed');
      group.leaving.delete(slot);
      this.#places.update(group);
    });
    this.#serve(group, slot);
    if (slot.running === 0) this.#becomeIdle(group, slot);
  }
}
