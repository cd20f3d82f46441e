import type { ThreadTimes } from './process-meter.js';
import { runtimeLimits as limits } from './runtime-limits.js';

/** What an idle process is watched by; null where the host cannot tell. */
interface Watched {
  mainThread(): ThreadTimes | null;
  /** Processor time of all threads. */
  roughCpuMs(): number | null;
}

/**
 * Finds out whether a process on which no invocation runs is busy all the same, with background work or with timers
 * and threads that it left behind. It spins when that keeps its main thread from the next invocation, which would wait
 * for it; and all its threads together have an allowance, since nobody pays for what they do.
 */
export class IdleWatch {
  #sinceMs = 0;
  #began: ThreadTimes | null = null;
  #spun = false;
  #onCalm: (() => void)[] = [];
  #idleSinceMs = 0;
  #idleBeganCpuMs: number | null = null;

  constructor(private readonly process: Watched) {
    this.restart();
  }

  /** To be called when the last thing that was asked of the process has ended. */
  restart(): void {
    this.#idleSinceMs = performance.now();
    this.#idleBeganCpuMs = this.process.roughCpuMs();
    this.#begin();
    this.#setSpun(false);
  }

  /** To be called now and then while nothing is asked. @returns whether it spun since the last time */
  look(): boolean {
    if (performance.now() - this.#sinceMs >= limits.lookMs / 2) {
      this.#setSpun(this.#spinsNow());
      this.#begin();
    }
    return this.#spun;
  }

  /** Whether all threads together used more than what is allowed to a process of which nothing is asked. */
  isOverAllowance(): boolean {
    const now = this.process.roughCpuMs();
    if (now === null || this.#idleBeganCpuMs === null) return false;
    const idleMs = performance.now() - this.#idleSinceMs;
    return now - this.#idleBeganCpuMs > limits.idleCpuMs + limits.idleCpuShare * idleMs;
  }

  isSpinning(): boolean {
    return this.#spun || this.#spinsNow();
  }

  /** Resolves with the next look that finds it resting, and when it is closed. */
  calm(): Promise<void> {
    return new Promise((resolve) => this.#onCalm.push(resolve));
  }

  close(): void {
    this.#setSpun(false);
  }

  #begin(): void {
    this.#sinceMs = performance.now();
    this.#began = this.process.mainThread();
  }

  #spinsNow(): boolean {
    const now = this.process.mainThread();
    if (now === null || this.#began === null) return false;
    const ranMs = now.ranMs - this.#began.ranMs;
    const busyMs = ranMs + now.waitedMs - this.#began.waitedMs;
    return ranMs >= limits.spinMs && busyMs >= limits.spinShare * (performance.now() - this.#sinceMs);
  }

  #setSpun(spun: boolean): void {
    this.#spun = spun;
    if (!spun) for (const resolve of this.#onCalm.splice(0)) resolve();
  }
}
