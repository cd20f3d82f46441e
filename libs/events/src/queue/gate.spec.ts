import { describe, expect, it } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { Gate } from './gate.js';

describe('a gate', () => {
  const through = (gate: Gate, name: string, log: string[]) => {
    let end!: () => void;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const passed = gate.run(async () => {
      log.push(name);
      await ended;
    });
    return { end, passed };
  };

  it('lets so many in at a time, first come first served, also when it is widened and narrowed', async () => {
    const gate = new Gate(1);
    const log: string[] = [];
    const all = ['a', 'b', 'c', 'd'].map((name) => through(gate, name, log));
    await turn();
    expect(log).toEqual(['a']);
    gate.set(3);
    await turn();
    expect(log).toEqual(['a', 'b', 'c']);
    gate.set(1);
    all[0]!.end();
    all[1]!.end();
    await turn();
    expect(log).toEqual(['a', 'b', 'c']);
    all[2]!.end();
    await turn();
    expect(log).toEqual(['a', 'b', 'c', 'd']);
  });

  it('turns away who waits and who comes once it is closed, and leaves who is inside', async () => {
    const gate = new Gate(1);
    const inside = through(gate, 'inside', []);
    const waiting = through(gate, 'waiting', []);
    gate.close(new Error('closed'));
    await expect(waiting.passed).rejects.toThrow('closed');
    await expect(gate.run(async () => {})).rejects.toThrow('closed');
    inside.end();
    await inside.passed;
  });

  it('reserves as many places as pass at a time, some ahead, and gathers places while all have something to do', async () => {
    const gate = new Gate(2);
    gate.set(2, 4);
    expect(await gate.reserve(3, 1_000)).toBe(3);
    expect(await gate.reserve(5, 1_000)).toBe(3);
    let more = 0;
    const asked = gate.reserve(5, 60_000).then((places) => (more = places));
    expect(gate.waiting).toBe(5);
    gate.giveBack();
    await turn();
    expect(more).toBe(0);
    gate.giveBack();
    await asked;
    expect(more).toBe(2);
  });

  it('gives no place to whose patience is over, nor when it is closed', async () => {
    const gate = new Gate(1);
    expect(await gate.reserve(1, 1_000)).toBe(1);
    expect(await gate.reserve(2, 10)).toBe(0);
    const asked = gate.reserve(2, 60_000);
    gate.close(new Error('closed'));
    expect(await asked).toBe(0);
    expect(await gate.reserve(1, 60_000)).toBe(0);
    expect(gate.waiting).toBe(0);
  });

  it('gives a place back when what was inside fails', async () => {
    const gate = new Gate(1);
    await expect(gate.run(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
    expect(await gate.run(async () => 'next')).toBe('next');
  });
});
