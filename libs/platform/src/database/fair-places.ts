import { AppError } from '../errors/app-error.js';

interface Waiter {
  serve(): void;
  refuse(error: AppError): void;
}

/**
 * A fixed number of places, shared out among whoever asks: in turn by holder, so that one with many requests does not
 * stand before all others, and never all to one, so that its slow ones leave places to the rest.
 */
export class FairPlaces {
  #taken = 0;
  #waiting = 0;
  readonly #held = new Map<string, number>();
  /** By holder, in the order of their turns. */
  readonly #lines = new Map<string, Set<Waiter>>();
  readonly #ownMost: number;

  constructor(private readonly options: { places: number; waiting: number; timeoutMs: number }) {
    const { places } = options;
    this.#ownMost = places <= 2 ? places : places - Math.ceil(places / 5);
  }

  /**
   * Waits for a place.
   * @returns gives it back
   * @throws AppError `database_busy` (503, `Retry-After`) when too many wait already, or when there are to be no more places;
   *   `database_timeout` (504) when none came free in time
   */
  async take(holder: string): Promise<() => void> {
    if (this.#taken < this.options.places && this.#mayHave(holder)) this.#grant(holder);
    else await this.#wait(holder);
    return () => this.#giveBack(holder);
  }

  /** Sends away whoever still waits: there will be no more places. */
  close(): void {
    const waiters = Array.from(this.#lines.values(), (line) => [...line]).flat();
    for (const waiter of waiters) waiter.refuse(busy('The server is stopping.'));
  }

  #mayHave(holder: string): boolean {
    return (this.#held.get(holder) ?? 0) < this.#ownMost;
  }

  #grant(holder: string): void {
    this.#taken += 1;
    this.#held.set(holder, (this.#held.get(holder) ?? 0) + 1);
  }

  #wait(holder: string): Promise<void> {
    const { waiting, timeoutMs } = this.options;
    if (this.#waiting >= waiting) throw busy(`${waiting} requests wait for a database connection already.`);
    this.#waiting += 1;
    const line = this.#lines.get(holder) ?? new Set();
    this.#lines.set(holder, line);
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        this.#waiting -= 1;
        line.delete(waiter);
        if (line.size === 0) this.#lines.delete(holder);
      };
      const waiter = {
        serve: () => {
          leave();
          this.#grant(holder);
          resolve();
        },
        refuse: (error: AppError) => {
          leave();
          reject(error);
        },
      };
      const timer = setTimeout(() => waiter.refuse(tooLate()), timeoutMs);
      line.add(waiter);
    });
  }

  #giveBack(holder: string): void {
    this.#taken -= 1;
    const left = this.#held.get(holder)! - 1;
    if (left > 0) this.#held.set(holder, left);
    else this.#held.delete(holder);
    this.#serveNext();
  }

  #serveNext(): void {
    for (const [holder, line] of this.#lines) {
      if (!this.#mayHave(holder)) continue;
      // Its next turn comes after everybody else's.
      this.#lines.delete(holder);
      this.#lines.set(holder, line);
      const [waiter] = line;
      return waiter!.serve();
    }
  }
}

function busy(message: string): AppError {
  return new AppError({
    code: 'database_busy',
    status: 503,
    message,
    headers: { 'retry-after': '1' },
  });
}

function tooLate(): AppError {
  return new AppError({
    code: 'database_timeout',
    status: 504,
    message: 'Timed out acquiring connection from connection pool.',
  });
}
