import { describe, expect, it } from '@jest/globals';
import { FairGate } from './fair-gate.js';

const never = AbortSignal.any([]);

function gateOf(options: { atOnce: number; waitingPerKey?: number }) {
  return new FairGate({ waitingPerKey: 100, full: () => new Error('full'), ...options });
}

function deferred() {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

describe('FairGate', () => {
  it('runs no more than the given number at once', async () => {
    const gate = gateOf({ atOnce: 2 });
    let running = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running -= 1;
    };
    await Promise.all(Array.from({ length: 20 }, () => gate.run('a', never, work)));
    expect(most).toBe(2);
  });

  it('serves the waiting key by key', async () => {
    const gate = gateOf({ atOnce: 1 });
    const order: string[] = [];
    const first = deferred();
    const runs = [gate.run('a', never, () => first.promise)];
    for (const name of ['a1', 'a2', 'a3', 'b1', 'c1', 'b2']) {
      runs.push(gate.run(name[0]!, never, async () => void order.push(name)));
    }
    first.resolve();
    await Promise.all(runs);
    expect(order).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
  });

  it('goes on after work that fails', async () => {
    const gate = gateOf({ atOnce: 1 });
    await expect(gate.run('a', never, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    await expect(gate.run('a', never, async () => 'fine')).resolves.toBe('fine');
  });

  it('refuses when too many of one key wait, but not another key', async () => {
    const gate = gateOf({ atOnce: 1, waitingPerKey: 1 });
    const first = deferred();
    const runs = [gate.run('a', never, () => first.promise), gate.run('a', never, async () => {})];
    await expect(gate.run('a', never, async () => {})).rejects.toThrow('full');
    runs.push(gate.run('b', never, async () => {}));
    first.resolve();
    await Promise.all(runs);
  });

  it('forgets who gave up waiting', async () => {
    const gate = gateOf({ atOnce: 1 });
    const first = deferred();
    const running = gate.run('a', never, () => first.promise);
    const impatient = new AbortController();
    const waiting = gate.run('a', impatient.signal, async () => 'never');
    impatient.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    first.resolve();
    await running;
    await expect(gate.run('a', never, async () => 'next')).resolves.toBe('next');
  });
});
