interface Asked<Item, Result> {
  readonly item: Item;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/**
 * Gathers what is asked for while a call is under way, and asks it all at once with the next: what alone would take a
 * transaction each takes one together, and the more there is to do the larger its part. What fails together for
 * what one of them is, is tried again one by one, so that nobody fails for another.
 */
export class Gathered<Item, Result> {
  #waiting: Asked<Item, Result>[] = [];
  #isRunning = false;

  /**
   * @param run gives a result for each item, in their order
   * @param most items of one call
   * @param isOfOne whether an error may be due to one of the items, rather than to whom they are given
   */
  constructor(
    private readonly run: (items: readonly Item[]) => Promise<readonly Result[]>,
    private readonly most: number,
    private readonly isOfOne: (error: unknown) => boolean,
  ) {}

  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (!this.#isRunning) void this.#runAll();
    });
  }

  async #runAll(): Promise<void> {
    this.#isRunning = true;
    // What comes in the same turn belongs together, too.
    await new Promise(setImmediate);
    while (this.#waiting.length > 0) await this.#runSome(this.#waiting.splice(0, this.most));
    this.#isRunning = false;
  }

  async #runSome(some: readonly Asked<Item, Result>[]): Promise<void> {
    try {
      const results = await this.run(some.map(({ item }) => item));
      for (const [i, { resolve }] of some.entries()) resolve(results[i]!);
    } catch (error) {
      if (some.length === 1 || !this.isOfOne(error)) for (const { reject } of some) reject(error);
      else for (const one of some) await this.#runSome([one]);
    }
  }
}
