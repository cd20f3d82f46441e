import { backoffMs, type Logger } from '#libs/platform';

/** After this it works again when it was woken as it ended. */
const soonMs = 500;
/** `setTimeout` holds no more than 2^31 - 1 ms. */
const maxWaitMs = 24 * 3_600_000;

/**
 * Repeats `work` when it is woken, and when it wants to be. A wake-up while it works makes it work once more, since
 * it may have looked too early.
 */
export class WakeableLoop {
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #wanted = false;
  #stopped = false;
  /** In a row. */
  #failures = 0;

  /** @param work returns after how many ms it is to be repeated; when it throws it is, later each time */
  constructor(
    private readonly name: string,
    private readonly work: () => Promise<number>,
    private readonly logger: Logger,
  ) {}

  wake(): void {
    this.#wanted = true;
    if (this.#running || this.#stopped) return;
    clearTimeout(this.#timer);
    this.#running = this.#workWhileWanted().then((waitMs) => {
      this.#running = undefined;
      if (this.#stopped) return;
      const soonest = Math.min(waitMs, this.#wanted ? soonMs : maxWaitMs);
      this.#timer = setTimeout(() => this.wake(), soonest).unref();
    });
  }

  /** Resolves when the work under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #workWhileWanted(): Promise<number> {
    let waitMs = 0;
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false;
      try {
        waitMs = await this.work();
        this.#failures = 0;
      } catch (error) {
        this.logger.warn({ err: error }, `${this.name} failed; trying again`);
        // Whatever woke it meanwhile finds the same.
        this.#wanted = false;
        return backoffMs(this.#failures++);
      }
    }
    return waitMs;
  }
}
