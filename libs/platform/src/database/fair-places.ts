import { AppError } from '../errors/app-error.js';
import type { Abandonment } from './abandonment.js';

interface Waiter {
  serve(): void;
  refuse(error: AppError): void;
}

/**
 * A fixed number of places, shared out among whoever asks: in turn by holder, so that one with many requests does not
 * stand before all others, and never all to one, so that its slow ones leave places to the rest. Who waits does so in a
 * line of the holder's; when they are full together, the longest gives way.
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
   * @param abandonment  when it happens nobody wants the place any more
   * @returns gives it back
   * @throws AppError `database_busy` (503, `Retry-After`) when too many wait already, or when there are to be no more places;
   *   `database_timeout` (504) when none came free in time; `client_gone` (499) when it was abandoned
   */
  async take(holder: string, abandonment?: Abandonment): Promise<() => void> {
    if (abandonment?.hasHappened) throw clientGone();
    if (this.#taken < this.options.places && this.#mayHave(holder)) this.#grant(holder);
    else await this.#wait(holder, abandonment);
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

  #wait(holder: string, abandonment?: Abandonment): Promise<void> {
    if (this.#waiting >= this.options.waiting) this.#makeRoom(holder);
    this.#waiting += 1;
    const line = this.#lines.get(holder) ?? new Set();
    this.#lines.set(holder, line);
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        abandonment?.off(onAbandoned);
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
      const onAbandoned = () => waiter.refuse(clientGone());
      abandonment?.on(onAbandoned);
      const timer = setTimeout(() => waiter.refuse(tooLate()), this.options.timeoutMs);
      line.add(waiter);
    });
  }

  /**
   * Sends away who came last in the longest line, so that nobody fills what all wait in.
   * @throws AppError `database_busy` when the line of `holder` would then be the longest itself
   */
  #makeRoom(holder: string): void {
    const refusal = busy(`${this.options.waiting} requests wait for a database connection already.`);
    const own = this.#lines.get(holder)?.size ?? 0;
    let longest: Set<Waiter> | undefined;
    for (const line of this.#lines.values()) if (line.size > (longest?.size ?? own + 1)) longest = line;
    if (longest === undefined) throw refusal;
    [...longest].at(-1)!.refuse(refusal);
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

/** Heard by nobody, save for the log. 499 is the status that proxies note for it. */
export function clientGone(): AppError {
  return new AppError({ code: 'client_gone', status: 499, message: 'The client left before the answer.' });
}

function tooLate(): AppError {
  return new AppError({
    code: 'database_timeout',
    status: 504,
    message: 'Timed out acquiring connection from connection pool.',
  });
}
