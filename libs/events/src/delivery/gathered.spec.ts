import { describe, expect, it } from '@jest/globals';
import { Gathered } from './gathered.js';

describe('what is gathered', () => {
  /** Doubles numbers; negative ones cannot be. */
  function doubling(limits = { most: 100, enough: 100, atOnce: 1 }) {
    const calls: number[][] = [];
    let release = () => {};
    const gathered = new Gathered<number, number>(
      async (items) => {
        calls.push([...items]);
        await new Promise<void>((resolve) => (release = resolve));
        if (items.some((item) => item < 0)) throw new Error(`not ${items.join(', ')}`);
        if (items.includes(0)) throw new TypeError('away');
        return items.map((item) => item * 2);
      },
      limits,
      (error) => !(error instanceof TypeError),
    );
    const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
    const next = async () => {
      await turn();
      release();
      await turn();
    };
    return { gathered, calls, next, turn };
  }

  it('is asked for at once, with all that came meanwhile, and each gets its own result', async () => {
    const { gathered, calls, next } = doubling();
    const first = [1, 2].map((n) => gathered.add(n));
    await next();
    const more = [gathered.add(3)];
    await new Promise(setImmediate);
    more.push(gathered.add(4), gathered.add(5));
    await next();
    await next();
    expect(await Promise.all([...first, ...more])).toEqual([2, 4, 6, 8, 10]);
    expect(calls).toEqual([[1, 2], [3], [4, 5]]);
  });

  it('is no more than so many', async () => {
    const { gathered, calls, next } = doubling({ most: 2, enough: 100, atOnce: 1 });
    const all = [1, 2, 3].map((n) => gathered.add(n));
    await next();
    await next();
    await Promise.all(all);
    expect(calls).toEqual([[1, 2], [3]]);
  });

  it('is asked for beside a call under way once there is enough for another, and never more calls at once', async () => {
    const calls: { items: readonly number[]; end(): void }[] = [];
    const gathered = new Gathered<number, number>(
      (items) =>
        new Promise((resolve) => calls.push({ items, end: () => resolve(items.map((item) => item * 2)) })),
      { most: 3, enough: 2, atOnce: 2 },
      () => false,
    );
    const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
    const add = async (...items: number[]) => {
      const results = items.map((item) => gathered.add(item));
      await turn();
      return results;
    };
    const results = [...(await add(1)), ...(await add(2))];
    expect(calls.map(({ items }) => items)).toEqual([[1]]);
    results.push(...(await add(3)));
    expect(calls.map(({ items }) => items)).toEqual([[1], [2, 3]]);
    results.push(...(await add(4, 5, 6, 7)));
    expect(calls).toHaveLength(2);
    calls[1]!.end();
    await turn();
    expect(calls.map(({ items }) => items)).toEqual([[1], [2, 3], [4, 5, 6]]);
    calls[2]!.end();
    await turn();
    // One alone is not worth a call beside another.
    expect(calls).toHaveLength(3);
    calls[0]!.end();
    await turn();
    calls[3]!.end();
    expect(await Promise.all(results)).toEqual([2, 4, 6, 8, 10, 12, 14]);
  });

  it('fails together when that is nobody’s fault', async () => {
    const { gathered, calls, next } = doubling();
    const all = Promise.allSettled([1, 0, 2].map((n) => gathered.add(n)));
    await next();
    expect((await all).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(calls).toHaveLength(1);
  });

  it('fails for itself alone', async () => {
    const { gathered, calls, next } = doubling();
    const all = Promise.allSettled([1, -1, 2].map((n) => gathered.add(n)));
    for (let n = 0; n < 4; n += 1) await next();
    expect(await all).toMatchObject([
      { value: 2 },
      { status: 'rejected', reason: { message: 'not -1' } },
      { value: 4 },
    ]);
    expect(calls).toEqual([[1, -1, 2], [1], [-1], [2]]);
    const after = gathered.add(7);
    await next();
    expect(await after).toBe(14);
  });
});
