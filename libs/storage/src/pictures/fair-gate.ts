/**
 * Lets a bounded number of pieces of work run at once. Who waits is served key by key in turn, so that one key
 * with a thousand waiting does not hold up another with one.
 */
export class FairGate {
  readonly #atOnce: number;
  readonly #waitingPerKey: number;
  readonly #full: () => Error;
  #running = 0;
  /** Keys in the order of their turns; each holds at least one who waits. */
  readonly #waiting = new Map<string, (() => void)[]>();

  constructor(options: { atOnce: number; waitingPerKey: number; full: () => Error }) {
    this.#atOnce = options.atOnce;
    this.#waitingPerKey = options.waitingPerKey;
    this.#full = options.full;
  }

  /**
   * Runs `work` when it is its turn.
   * @throws what `full` makes, when too many of this key wait; the signal's reason, when it aborts before the turn
   */
  async run<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    if (this.#running < this.#atOnce) this.#running += 1;
    else await this.#turn(key, signal);
    try {
      return await work();
    } finally {
      this.#passOn();
    }
  }

  #turn(key: string, signal: AbortSignal): Promise<void> {
    const queue = this.#waiting.get(key) ?? [];
    if (queue.length >= this.#waitingPerKey) throw this.#full();
    this.#waiting.set(key, queue);
    return new Promise((resolve, reject) => {
      const enter = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        queue.splice(queue.indexOf(enter), 1);
        if (queue.length === 0) this.#waiting.delete(key);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', leave, { once: true });
      queue.push(enter);
    });
  }

  /** Hands the place to the key whose turn it is; the key goes to the end of the line. */
  #passOn(): void {
    const next = this.#waiting.entries().next();
    if (next.done) {
      this.#running -= 1;
      return;
    }
    const [key, queue] = next.value;
    const enter = queue.shift()!;
    this.#waiting.delete(key);
    if (queue.length > 0) this.#waiting.set(key, queue);
    enter();
  }
}
