import type { Socket } from 'node:net';
import type { DenoProcess } from './deno-process.js';
import { runtimeLimits as limits } from './runtime-limits.js';

/** A process that waits for a function, and the connection to it. */
export interface WarmProcess extends DenoProcess {
  readonly socket: Socket;
}

/**
 * Processes that have started, in jails, and have no function yet: one that is told which it shall be is ready ten
 * times as soon as one that has to start. How many are held follows how many starts there were of late, by
 * OpenWhisk's rule: at least `least`, one more for each `limits.startsPerWarmProcess` in the last minute.
 */
export class WarmProcesses {
  readonly #ready: WarmProcess[] = [];
  readonly #starts: number[] = [];
  #filling: Promise<void> | null = null;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param start starts one, which must be ready soon
   * @param end of a process that is not wanted any more
   */
  constructor(
    private readonly least: number,
    private readonly start: () => Promise<WarmProcess>,
    private readonly end: (process: WarmProcess) => void,
  ) {}

  get size(): number {
    return this.#ready.length;
  }

  /** One that is ready, or null. {@link fill} when the function that it is for runs: that comes first. */
  take(): WarmProcess | null {
    this.#starts.push(Date.now());
    return this.#ready.shift() ?? null;
  }

  /** Starts as many as are missing, one after the other. */
  async fill(): Promise<void> {
    if (this.#filling || this.#isClosed) return;
    this.#filling = this.#fill();
    await this.#filling;
    this.#filling = null;
    this.#checkLater();
  }

  async #fill(): Promise<void> {
    try {
      while (!this.#isClosed && this.#ready.length < this.#wanted()) this.#add(await this.start());
    } catch {
      // The host has no room just now; the next start tries again.
    }
  }

  /** Resolves when the one that was being started, if any, has been given to its end. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const process of this.#ready.splice(0)) this.end(process);
    await this.#filling;
  }

  #wanted(): number {
    if (this.least === 0) return 0;
    const since = Date.now() - limits.warmWindowMs;
    while (this.#starts.length > 0 && this.#starts[0]! < since) this.#starts.shift();
    const forStarts = Math.ceil(this.#starts.length / limits.startsPerWarmProcess);
    return Math.min(Math.max(this.least, forStarts), limits.warmProcesses);
  }

  #add(process: WarmProcess): void {
    if (this.#isClosed) return this.end(process);
    this.#ready.push(process);
    void process.exited.then(() => this.#onEnd(process));
  }

  /** Somebody killed it while it waited. */
  #onEnd(process: WarmProcess): void {
    const at = this.#ready.indexOf(process);
    if (at < 0) return;
    this.#ready.splice(at, 1);
    this.end(process);
    setTimeout(() => void this.fill(), limits.warmAgainMs).unref();
  }

  /** What a burst made necessary goes when it is over; nothing ticks when no more than the least are there. */
  #checkLater(): void {
    if (this.#isClosed || this.#ready.length <= this.least || this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      while (this.#ready.length > this.#wanted()) this.end(this.#ready.pop()!);
      this.#checkLater();
    }, limits.warmWindowMs / 4).unref();
  }
}
