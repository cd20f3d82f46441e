/**
 * Whether, and when, nobody waits for an answer any more. An AbortSignal would say the same, at some microseconds for every
 * request that is not abandoned.
 */
export class Abandonment {
  #hasHappened = false;
  readonly #listeners = new Set<() => void>();

  get hasHappened(): boolean {
    return this.#hasHappened;
  }

  happen(): void {
    this.#hasHappened = true;
    for (const listener of this.#listeners) listener();
  }

  on(listener: () => void): void {
    this.#listeners.add(listener);
  }

  off(listener: () => void): void {
    this.#listeners.delete(listener);
  }
}
