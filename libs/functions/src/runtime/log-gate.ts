import { runtimeLimits as limits } from './runtime-limits.js';

/** Lets through `limits.logLinesPerWindow` records in each window, of both streams of an instance together. */
export class LogGate {
  #windowEndsAt = 0;
  #lines = 0;
  #bytes = 0;
  #dropped = 0;

  /** Whether no more record fits into this window. */
  isClosed(now: number): boolean {
    this.#enterWindow(now);
    return this.#lines >= limits.logLinesPerWindow;
  }

  /** @returns whether one more record fits, and how many were dropped before it that nobody was told of. */
  admit(now: number): { admitted: boolean; droppedBefore: number } {
    if (this.isClosed(now)) {
      this.drop(1);
      return { admitted: false, droppedBefore: 0 };
    }
    this.#lines += 1;
    return { admitted: true, droppedBefore: this.takeDropped() };
  }

  /** Counts records that nobody looked at. */
  drop(count: number): void {
    this.#dropped += count;
  }

  /** @returns for how many milliseconds reading should stop because the window's bytes are used up; 0 to go on. */
  pauseFor(bytes: number, now: number): number {
    this.#enterWindow(now);
    this.#bytes += bytes;
    return this.#bytes > limits.logBytesPerWindow ? this.#windowEndsAt - now : 0;
  }

  /** Records dropped and not yet told of. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  #enterWindow(now: number): void {
    if (now < this.#windowEndsAt) return;
    this.#windowEndsAt = now + limits.logWindowMs;
    this.#lines = 0;
    this.#bytes = 0;
  }
}

export function droppedMessage(count: number): string {
  return `${count} log records were dropped: the limit is ${limits.logLinesPerWindow} in ${limits.logWindowMs / 1000} s.`;
}
