import type { FunctionInstances, Slot } from './function-instances.js';
import { poolLimits } from './pool-limits.js';

/** What the processes of all functions together may take of a host. */
export interface HostBudget {
  /** Processes at once. */
  readonly instances: number;
  /** Memory, by what each of them may use. */
  readonly memoryBytes: number;
}

/** An instance that could make room. */
interface Found {
  readonly group: FunctionInstances;
  readonly slot: Slot;
}

/**
 * The processes that this host has room for, shared out among functions: free places first, then those of instances
 * that are unused, then those of instances that only work in the background and had their turn.
 */
export class HostPlaces {
  readonly groups = new Map<string, FunctionInstances>();
  /**
   * Functions that want one more instance than the host has room for, in the order in which they get it; and since when
   * of the monotonic clock.
   */
  readonly #wanting = new Map<FunctionInstances, number>();
  #nextTurn: NodeJS.Timeout | undefined;

  /**
   * @param start starts one more instance
   */
  constructor(
    private readonly budget: HostBudget,
    private readonly start: (group: FunctionInstances) => void,
  ) {}

  /** How many more processes of a function there is room for, once those of `leaving` have gone. */
  freeFor({ options }: FunctionInstances, leaving: readonly Found[] = []): number {
    let { instances, memoryBytes } = this.budget;
    for (const { group } of leaving) {
      instances += 1;
      memoryBytes += group.options.memoryBytes;
    }
    for (const group of this.groups.values()) {
      instances -= group.size;
      memoryBytes -= group.memoryBytes;
    }
    // One that is larger than all there is gets its turn alone, and is refused when it is to start.
    const neededBytes = Math.min(options.memoryBytes, this.budget.memoryBytes);
    return Math.min(instances, Math.floor(memoryBytes / neededBytes));
  }

  /** To be called when something changed about what `group` has or wants. */
  update(group: FunctionInstances): void {
    if (group.wantsInstance) this.#want(group);
    this.#forgetIfUnused(group);
    this.shareOut();
  }

  /** Gives free places, and those that can be freed, to the functions that want one, in turn. */
  shareOut(): void {
    clearTimeout(this.#nextTurn);
    for (const group of this.#wanting.keys()) {
      if (!group.wantsInstance) {
        this.#wanting.delete(group);
        continue;
      }
      if (!this.#makeRoomFor(group)) {
        if (this.#keepsRoomFor(group)) return;
        continue;
      }
      this.start(group);
      // A map keeps the order of insertion: who has been served goes to the end, and is met again by this loop.
      this.#wanting.delete(group);
      if (group.wantsInstance) this.#want(group);
    }
  }

  #want(group: FunctionInstances): void {
    if (!this.#wanting.has(group)) this.#wanting.set(group, performance.now());
  }

  /** Whether a function that waits for room has a better claim to this place, now that its work has ended. */
  mustYield(group: FunctionInstances, slot: Slot): boolean {
    if (group.isAtMinimum && !slot.retired) return false;
    // To one for which it would not be enough the place would be given in vain.
    const next = [...this.#wanting.keys()].find(
      (other) => other !== group && other.wantsInstance && this.freeFor(other, [{ group, slot }]) > 0,
    );
    if (!next) return false;
    const { hasBackgroundWork } = slot.instance;
    if (group.line.length === 0) return !hasBackgroundWork;
    const turnMs = hasBackgroundWork ? poolLimits.backgroundTurnMs : poolLimits.turnMs;
    const turnIsOver = performance.now() - slot.grantedAt >= turnMs;
    return turnIsOver && (next.size === 0 || group.size > next.size + 1);
  }

  /** Ends as many unused processes of others as it takes; none when that would not be enough. */
  #makeRoomFor(wanting: FunctionInstances): boolean {
    const leaving: Found[] = [];
    while (this.freeFor(wanting, leaving) <= 0) {
      const found =
        this.#longestIdle(wanting, 'unused', leaving) ?? this.#longestIdle(wanting, 'background', leaving);
      if (!found) return false;
      const waitMs = found.slot.instance.hasBackgroundWork
        ? found.slot.idleSince + poolLimits.backgroundTurnMs - performance.now()
        : 0;
      if (waitMs > 0) {
        this.#shareOutIn(waitMs);
        return false;
      }
      leaving.push(found);
    }
    for (const { group, slot } of leaving) {
      group.remove(slot, 'evicted');
      this.#forgetIfUnused(group);
    }
    return true;
  }

  #shareOutIn(waitMs: number): void {
    clearTimeout(this.#nextTurn);
    this.#nextTurn = setTimeout(() => this.shareOut(), waitMs);
  }

  /**
   * Whether what becomes free is kept for a function that needs more than that. Only for a part of the time, so that
   * one that needs most of the host can neither be passed over for ever nor hold up all others.
   */
  #keepsRoomFor(group: FunctionInstances): boolean {
    const sinceMs = this.#wanting.get(group)!;
    const atMs = (performance.now() - sinceMs) % poolLimits.passedOverMs;
    const keepsFromMs = poolLimits.passedOverMs - poolLimits.roomKeptMs;
    if (atMs < keepsFromMs) return false;
    this.#shareOutIn(poolLimits.passedOverMs - atMs);
    return true;
  }

  #longestIdle(
    wanting: FunctionInstances,
    kind: 'unused' | 'background',
    leaving: readonly Found[],
  ): Found | null {
    const taken = new Set(leaving.map(({ slot }) => slot));
    let longest: Found | null = null;
    for (const group of this.groups.values()) {
      const slot = group === wanting ? null : group.longestIdle(kind, taken);
      if (slot && (!longest || slot.idleSince < longest.slot.idleSince)) longest = { group, slot };
    }
    return longest;
  }

  #forgetIfUnused(group: FunctionInstances): void {
    if (group.isUnused && this.groups.get(group.key) === group) this.groups.delete(group.key);
  }
}
