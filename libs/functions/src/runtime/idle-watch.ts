import type { ThreadTimes } from './process-meter.js';
import { runtimeLimits as limits } from './runtime-limits.js';

/**
 * Finds out whether a process on which no invocation runs keeps its main thread busy all the same, with background work
 * or with a timer that it left behind. The next invocation would wait for that, and be charged for it.
 */
export class IdleWatch {
  #sinceMs = 0;
  #began: ThreadTimes | null = null;
  #spun = false;
  #onCalm: (() => void)[] = [];

  constructor(private readonly mainThread: () => ThreadTimes | null) {
    this.#begin();
  }

  /** To be called when the last thing that was asked of the process has ended. */
  restart(): void {
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
    this.#began = this.mainThread();
  }

  #spinsNow(): boolean {
    const now = this.mainThread();
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
