/** Lets one loop sleep until there is something to look at. */
export class Wake {
  #isUp = false;
  #isEnded = false;
  #wake: (() => void) | undefined;

  /** The loop has nothing to do any more. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  up(): void {
    this.#isUp = true;
    this.#wake?.();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  /** @returns true when it was woken since the last time, or is now; false after `timeoutMs`, and at the end */
  async next(timeoutMs: number): Promise<boolean> {
    if (!this.#isUp && !this.#isEnded) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs).unref();
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
    const woken = this.#isUp;
    this.#isUp = false;
    return woken;
  }
}
