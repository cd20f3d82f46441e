import type { Turns } from './job-queue.js';

interface Reserver {
  readonly most: number;
  resolve(places: number): void;
}

/**
 * Lets so many pass at a time, in the order in which they came, and can be widened and narrowed meanwhile. Who has much
 * to do and needs to prepare it reserves places before: as many as pass at a time, and some ahead of them.
 */
export class Gate implements Turns {
  #inside = 0;
  #waiting: { pass(): void; fail(error: Error): void }[] = [];
  #closed: Error | null = null;
  #ahead = 0;
  #reserved = 0;
  #reservers: Reserver[] = [];

  /** @param onRun is told how long each was inside, in ms, that did not fail */
  constructor(
    private width: number,
    private readonly onRun: (tookMs: number) => void = () => {},
  ) {}

  get running(): number {
    return this.#inside;
  }

  /** How many wait to pass, or for a place. */
  get waiting(): number {
    return this.#reservers.reduce((sum, { most }) => sum + most, this.#waiting.length);
  }

  /** Those inside stay when it becomes narrower. */
  set(width: number, ahead = 0): void {
    this.width = width;
    this.#ahead = ahead;
    this.#admit();
    this.#grant();
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.#enter();
    const beganAt = performance.now();
    try {
      const result = await work();
      this.onRun(performance.now() - beganAt);
      return result;
    } finally {
      this.#inside -= 1;
      this.#admit();
    }
  }

  reserve(most: number, patienceMs: number): Promise<number> {
    if (this.#closed) return Promise.resolve(0);
    return new Promise((resolve) => {
      const giveUp = () => {
        this.#reservers = this.#reservers.filter((one) => one !== reserver);
        resolve(0);
      };
      const timer = setTimeout(giveUp, patienceMs);
      const reserver: Reserver = {
        most,
        resolve: (places) => {
          clearTimeout(timer);
          resolve(places);
        },
      };
      this.#reservers.push(reserver);
      this.#grant();
    });
  }

  giveBack(): void {
    this.#reserved -= 1;
    this.#grant();
  }

  /** Turns away all who wait, and all who come. */
  close(error: Error): void {
    this.#closed = error;
    for (const { fail } of this.#waiting.splice(0)) fail(error);
    for (const { resolve } of this.#reservers.splice(0)) resolve(0);
  }

  #enter(): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closed);
    return new Promise((pass, fail) => {
      this.#waiting.push({ pass, fail });
      this.#admit();
    });
  }

  #admit(): void {
    while (this.#inside < this.width && this.#waiting.length > 0) {
      this.#inside += 1;
      this.#waiting.shift()!.pass();
    }
  }

  #grant(): void {
    for (;;) {
      const [next] = this.#reservers;
      const free = this.width + this.#ahead - this.#reserved;
      if (!next || free <= 0) return;
      // While all have something to do there is time to gather places: what is prepared together costs less.
      const enough = Math.min(next.most, Math.ceil(this.#ahead / 2));
      if (this.#reserved >= this.width && free < enough) return;
      this.#reservers.shift();
      const places = Math.min(next.most, free);
      this.#reserved += places;
      next.resolve(places);
    }
  }
}
