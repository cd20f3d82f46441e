/** Lets so many pass at a time, in the order in which they came, and can be widened and narrowed meanwhile. */
export class Gate {
  #inside = 0;
  #waiting: { pass(): void; fail(error: Error): void }[] = [];
  #closed: Error | null = null;

  constructor(private width: number) {}

  /** How many wait to pass. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Those inside stay when it becomes narrower. */
  set(width: number): void {
    this.width = width;
    this.#admit();
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.#enter();
    try {
      return await work();
    } finally {
      this.#inside -= 1;
      this.#admit();
    }
  }

  /** Turns away all who wait, and all who come. */
  close(error: Error): void {
    this.#closed = error;
    for (const { fail } of this.#waiting.splice(0)) fail(error);
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
}
