import { Cancellation } from '../cancellation.js';
import type { FunctionInstance, InstanceSpec, KillReason } from '../runtime/function-runtime.js';
import type { IdleGaps } from './idle-gaps.js';
import { poolLimits } from './pool-limits.js';
import { WaitingLine } from './waiting-line.js';

export type StartKind = 'cold' | 'warm';

export interface PoolOptions {
  /** Processes that this function may have at once in this process of ours. */
  readonly maxInstances: number;
  /** Invocations that one instance runs at once. */
  readonly concurrencyPerInstance: number;
  /** How long an unused instance is kept, in milliseconds; null: as the gaps between calls suggest. */
  readonly idleMs: number | null;
  /** Memory that each of its processes may use. */
  readonly memoryBytes: number;
  /** Whether each instance runs one invocation and no other. */
  readonly oneUse: boolean;
  /** Calls that may wait for an instance. */
  readonly queueLimit: number;
  /** From asking for an instance to having one, its start included. */
  readonly waitTimeoutMs: number;
  /**
   * From having an instance to the end of the work, and the same again for what it leaves in the background. Then the
   * process is killed, as soon as no other work is on it.
   */
  readonly wallTimeMs: number;
}

/** An instance and how much of it is in use. */
export interface Slot {
  readonly instance: FunctionInstance;
  readonly grantedAt: number;
  running: number;
  uses: number;
  idleSince: number;
  /** Takes no more work and is killed when the last has ended. */
  retired: boolean;
  /** When the process has ended. */
  readonly gone: Cancellation;
}

/** The instances of one deployment and the calls that wait for one. */
export class FunctionInstances {
  readonly slots = new Set<Slot>();
  /** Those that take no more work, and whose processes are still there. */
  readonly leaving = new Set<Slot>();
  readonly line = new WaitingLine<Slot>();
  starting = 0;
  /** How many are kept ready, whether there are calls or not. */
  minInstances = 0;
  /** Told why an instance did not start that no call waited for. */
  onStartFailure: ((error: unknown) => void) | null = null;
  /** Instances that were to be kept ready and ended soon or never began, in a row. */
  #failures = 0;
  /** Of the monotonic clock: none is started before only to be kept ready. */
  #retryAtMs = 0;
  readonly #idleTimers = new Map<Slot, NodeJS.Timeout>();

  constructor(
    readonly key: string,
    readonly gaps: IdleGaps,
    public options: PoolOptions,
    public makeSpec: () => InstanceSpec | Promise<InstanceSpec>,
  ) {}

  /** Processes held, those that are being started included. */
  get size(): number {
    return this.slots.size + this.leaving.size + this.starting;
  }

  /** Memory held, by what its processes may use. */
  get memoryBytes(): number {
    return this.size * this.options.memoryBytes;
  }

  /** How long an unused instance is kept. */
  get idleMs(): number {
    return this.options.idleMs ?? this.gaps.keepMs;
  }

  /** To be called when a call has ended. */
  noteEnd(): void {
    for (const slot of this.slots) if (slot.running > 0) return;
    this.gaps.noteRest(performance.now());
  }

  get isUnused(): boolean {
    return this.size === 0 && this.line.length === 0 && this.minInstances === 0;
  }

  /** True when calls wait that neither present nor starting instances will take, or too few are ready. */
  get wantsInstance(): boolean {
    if (this.size >= this.options.maxInstances) return false;
    if (this.line.length > this.starting * this.options.concurrencyPerInstance) return true;
    return this.#ready + this.starting < this.minInstances && this.restartInMs <= 0;
  }

  /** Whether there are no more than are to be kept ready. */
  get isAtMinimum(): boolean {
    return this.minInstances > 0 && this.#ready <= this.minInstances;
  }

  /** Those that take calls, now or later. */
  get #ready(): number {
    let ready = 0;
    for (const slot of this.slots) if (!slot.retired) ready += 1;
    return ready;
  }

  /** How long to wait before an instance is started that nobody waits for; at most 0: no longer. */
  get restartInMs(): number {
    return this.#retryAtMs - performance.now();
  }

  /** Notes that a start failed or an instance ended by itself. */
  noteFailure(livedMs: number): void {
    this.#failures = livedMs < poolLimits.stableMs ? this.#failures + 1 : 0;
    const waitMs =
      this.#failures === 0
        ? 0
        : Math.min(poolLimits.restartMs * 2 ** (this.#failures - 1), poolLimits.longestRestartMs);
    this.#retryAtMs = performance.now() + waitMs;
  }

  /** The most recently used slot with room, so that the others become idle and go away; none that spins. */
  freeSlot(): Slot | null {
    let best: Slot | null = null;
    for (const slot of this.slots) {
      if (slot.retired || slot.instance.stopping || slot.running >= this.options.concurrencyPerInstance)
        continue;
      if (isSpinning(slot)) continue;
      if (
        !best ||
        slot.running > best.running ||
        (slot.running === best.running && slot.idleSince > best.idleSince)
      ) {
        best = slot;
      }
    }
    return best;
  }

  /** Unused slots that have no time for a call, with what the last ones left behind. */
  spinningSlots(): Slot[] {
    return [...this.slots].filter(isSpinning);
  }

  /**
   * The slot on which nothing has run for longest, of those that are unused or of those that only work in the
   * background; none that is to be kept ready, nor one of `taken`.
   */
  longestIdle(kind: 'unused' | 'background', taken: ReadonlySet<Slot>): Slot | null {
    if (this.isAtMinimum) return null;
    let longest: Slot | null = null;
    for (const slot of this.slots) {
      if (slot.running > 0 || taken.has(slot)) continue;
      if (slot.instance.hasBackgroundWork !== (kind === 'background')) continue;
      if (!longest || slot.idleSince < longest.idleSince) longest = slot;
    }
    return longest;
  }

  add(instance: FunctionInstance): Slot {
    const now = performance.now();
    const slot: Slot = {
      instance,
      gone: new Cancellation(),
      grantedAt: now,
      running: 0,
      uses: 0,
      idleSince: now,
      retired: false,
    };
    this.slots.add(slot);
    return slot;
  }

  /** Forgets the slot at once, so that its place can be given away, and kills its process. */
  remove(slot: Slot, reason: KillReason): void {
    this.stopIdleTimer(slot);
    this.slots.delete(slot);
    // One that makes room for another goes at once, any other when it has said its last words.
    if (reason !== 'evicted') this.leaving.add(slot);
    slot.instance.kill(reason);
  }

  stopIdleTimer(slot: Slot): void {
    clearTimeout(this.#idleTimers.get(slot));
    this.#idleTimers.delete(slot);
  }

  /** Calls `onTime` when nothing was run on the slot for `timeMs`. */
  startIdleTimer(slot: Slot, timeMs: number, onTime: () => void): void {
    this.stopIdleTimer(slot);
    this.#idleTimers.set(slot, setTimeout(onTime, timeMs));
  }
}

function isSpinning(slot: Slot): boolean {
  return slot.running === 0 && slot.instance.isSpinning();
}
