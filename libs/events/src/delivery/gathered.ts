interface Asked<Item, Result> {
  readonly item: Item;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/**
 * Gathers what is asked for while calls are under way, and asks it all at once with the next: what alone would take a
 * transaction each takes one together, and the more there is to do the larger its part. What fails together for
 * what one of them is, is tried again one by one, so that nobody fails for another.
 */
export class Gathered<Item, Result> {
  #waiting: Asked<Item, Result>[] = [];
  /** Calls under way, or about to be. */
  #running = 0;

  /**
   * @param run gives a result for each item, in their order
   * @param limits.most items of one call
   * @param limits.enough items for another call beside those under way: fewer wait, and cost less with what comes
   * @param limits.atOnce calls under way
   * @param isOfOne whether an error may be due to one of the items, rather than to whom they are given
   */
  constructor(
    private readonly run: (items: readonly Item[]) => Promise<readonly Result[]>,
    private readonly limits: { readonly most: number; readonly enough: number; readonly atOnce: number },
    private readonly isOfOne: (error: unknown) => boolean,
  ) {}

  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (this.#running === 0 || this.#isWorthAnother(1)) void this.#runAll();
    });
  }

  async #runAll(): Promise<void> {
    this.#running += 1;
    // What comes in the same turn belongs together, too.
    await new Promise(setImmediate);
    while (this.#waiting.length > 0 && (this.#running === 1 || this.#isWorthAnother(0)))
      await this.#runSome(this.#waiting.splice(0, this.limits.most));
    this.#running -= 1;
  }

  /** @param more calls than there are */
  #isWorthAnother(more: number): boolean {
    const { enough, atOnce } = this.limits;
    return this.#running + more <= atOnce && this.#waiting.length >= enough;
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
