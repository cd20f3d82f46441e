import type { FunctionInstances, Slot } from './function-instances.js';
import { poolLimits } from './pool-limits.js';

/** What the processes of all functions together may take of a host. */
export interface HostBudget {
  /** Processes at once. */
  readonly instances: number;
  /** Memory, by what each of them may use. */
  readonly memoryBytes: number;
}

/**
 * The processes that this host has room for, shared out among functions: free places first, then those of instances
 * that are unused, then those of instances that only work in the background and had their turn.
 */
export class HostPlaces {
  readonly groups = new Map<string, FunctionInstances>();
  /** Functions that want one more instance than the host has room for, in the order in which they get it. */
  readonly #wanting = new Set<FunctionInstances>();
  #nextTurn: NodeJS.Timeout | undefined;

  /**
   * @param start starts one more instance
   */
  constructor(
    private readonly budget: HostBudget,
    private readonly start: (group: FunctionInstances) => void,
  ) {}

  /** How many more processes of a function there is room for. */
  freeFor({ options }: FunctionInstances): number {
    let { instances, memoryBytes } = this.budget;
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
    if (group.wantsInstance) this.#wanting.add(group);
    this.#forgetIfUnused(group);
    this.shareOut();
  }

  /** Gives free places, and those that can be freed, to the functions that want one, in turn. */
  shareOut(): void {
    clearTimeout(this.#nextTurn);
    for (const group of this.#wanting) {
      if (!group.wantsInstance) {
        this.#wanting.delete(group);
        continue;
      }
      if (!this.#makeRoomFor(group)) return;
      this.start(group);
      // A set keeps the order of insertion: who has been served goes to the end, and is met again by this loop.
      this.#wanting.delete(group);
      if (group.wantsInstance) this.#wanting.add(group);
    }
  }

  /** Whether a function that waits for room has a better claim to this place, now that its work has ended. */
  mustYield(group: FunctionInstances, slot: Slot): boolean {
    if (group.isAtMinimum && !slot.retired) return false;
    const next = [...this.#wanting].find((other) => other !== group && other.wantsInstance);
    if (!next) return false;
    const { hasBackgroundWork } = slot.instance;
    if (group.line.length === 0) return !hasBackgroundWork;
    const turnMs = hasBackgroundWork ? poolLimits.backgroundTurnMs : poolLimits.turnMs;
    const turnIsOver = performance.now() - slot.grantedAt >= turnMs;
    return turnIsOver && (next.size === 0 || group.size > next.size + 1);
  }

  /** Ends as many unused processes of others as it takes. */
  #makeRoomFor(wanting: FunctionInstances): boolean {
    while (this.freeFor(wanting) <= 0) if (!this.#freeOneFor(wanting)) return false;
    return true;
  }

  #freeOneFor(wanting: FunctionInstances): boolean {
    const found = this.#longestIdle(wanting, 'unused') ?? this.#longestIdle(wanting, 'background');
    if (!found) return false;
    const { group, slot } = found;
    const waitMs = slot.instance.hasBackgroundWork
      ? slot.idleSince + poolLimits.backgroundTurnMs - performance.now()
      : 0;
    if (waitMs > 0) {
      this.#nextTurn = setTimeout(() => this.shareOut(), waitMs);
      return false;
    }
    group.remove(slot, 'evicted');
    this.#forgetIfUnused(group);
    return true;
  }

  #longestIdle(wanting: FunctionInstances, kind: 'unused' | 'background') {
    let longest: { group: FunctionInstances; slot: Slot } | null = null;
    for (const group of this.groups.values()) {
      const slot = group === wanting ? null : group.longestIdle(kind);
      if (slot && (!longest || slot.idleSince < longest.slot.idleSince)) longest = { group, slot };
    }
    return longest;
  }

  #forgetIfUnused(group: FunctionInstances): void {
    if (group.isUnused && this.groups.get(group.key) === group) this.groups.delete(group.key);
  }
}
