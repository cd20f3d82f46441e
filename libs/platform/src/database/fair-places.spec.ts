import { describe, expect, it } from '@jest/globals';
import { Abandonment } from './abandonment.js';
import { FairPlaces } from './fair-places.js';

const places = (count: number, waiting = 100, timeoutMs = 60_000) =>
  new FairPlaces({ places: count, waiting, timeoutMs });

/** Asks for a place; `order` tells who got one, in turn. */
function asker(from: FairPlaces, order: string[]) {
  const backs: (() => void)[] = [];
  return {
    ask: (holder: string) =>
      void from.take(holder).then(
        (back) => {
          order.push(holder);
          backs.push(back);
        },
        () => order.push(`${holder} was sent away`),
      ),
    async giveBack() {
      backs.shift()!();
      await settled();
    },
  };
}
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('FairPlaces', () => {
  it('serves holders in turn, however many requests one of them has', async () => {
    const order: string[] = [];
    const { ask, giveBack } = asker(places(1), order);
    for (const holder of ['a', 'a', 'a', 'b', 'c']) ask(holder);
    await settled();
    for (let i = 0; i < 5; i++) await giveBack();
    expect(order).toEqual(['a', 'a', 'b', 'c', 'a']);
  });

  it('leaves a fifth of the places to others than the one that holds the rest', async () => {
    const order: string[] = [];
    const ten = places(10);
    const { ask, giveBack } = asker(ten, order);
    for (let i = 0; i < 20; i++) ask('slow');
    await settled();
    expect(order).toHaveLength(8);
    ask('quick');
    await settled();
    expect(order.at(-1)).toBe('quick');
    await giveBack();
    expect(order.at(-1)).toBe('slow');
    ten.close();
  });

  it('sends away whoever waits when it closes', async () => {
    const order: string[] = [];
    const one = places(1);
    const { ask } = asker(one, order);
    for (const holder of ['a', 'a', 'b']) ask(holder);
    await settled();
    one.close();
    await settled();
    expect(order).toEqual(['a', 'a was sent away', 'b was sent away']);
  });

  it('refuses whoever comes when the line is full, and serves again when it is not', async () => {
    const few = places(1, 1);
    const back = await few.take('a');
    const next = few.take('a');
    await expect(few.take('b')).rejects.toMatchObject({
      code: 'database_busy',
      status: 503,
      headers: { 'retry-after': '1' },
    });
    back();
    (await next)();
    expect(await few.take('b')).toEqual(expect.any(Function));
  });

  it('sends away the last of the longest line for whoever has a shorter one', async () => {
    const order: string[] = [];
    const { ask, giveBack } = asker(places(1, 4), order);
    for (const holder of ['many', 'many', 'many', 'many', 'many', 'many']) ask(holder);
    await settled();
    expect(order).toEqual(['many', 'many was sent away']);
    ask('few');
    await settled();
    expect(order).toEqual(['many', 'many was sent away', 'many was sent away']);
    // Now there are three of the one and one of the other; a second of the other makes them equal, a third is too many.
    for (const holder of ['few', 'few', 'many']) ask(holder);
    await settled();
    expect(order.slice(3).toSorted()).toEqual([
      'few was sent away',
      'many was sent away',
      'many was sent away',
    ]);
    for (let i = 0; i < 4; i++) await giveBack();
    expect(order.slice(6)).toEqual(['many', 'few', 'many', 'few']);
  });

  it('forgets whoever leaves, and does not let who has left begin', async () => {
    const one = places(1, 2);
    const back = await one.take('a');
    const abandonment = new Abandonment();
    const waiting = [one.take('b', abandonment), one.take('b', abandonment)];
    abandonment.happen();
    for (const left of waiting) await expect(left).rejects.toMatchObject({ code: 'client_gone' });
    const next = one.take('b');
    back();
    (await next)();
    await expect(one.take('b', abandonment)).rejects.toMatchObject({ code: 'client_gone' });
    expect(await one.take('c')).toEqual(expect.any(Function));
  });

  it('lets nobody wait for ever, and gives no place to who has left', async () => {
    const one = places(1, 5, 20);
    const back = await one.take('a');
    await expect(one.take('b')).rejects.toMatchObject({ code: 'database_timeout', status: 504 });
    back();
    expect(await one.take('c')).toEqual(expect.any(Function));
  });
});
