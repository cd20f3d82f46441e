/**
 * The time that work under way has to end when the program stops. It is one for all: who asks first starts it, and
 * who asks later gets what is left.
 */
export class ShutdownGrace {
  #deadline: number | undefined;

  constructor(private readonly graceMs: number) {}

  leftMs(): number {
    this.#deadline ??= performance.now() + this.graceMs;
    return Math.max(0, this.#deadline - performance.now());
  }
}
