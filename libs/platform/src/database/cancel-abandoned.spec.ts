import { describe, expect, it, jest } from '@jest/globals';
import { EventEmitter } from 'node:events';
import type pg from 'pg';
import { limits } from '../limits.js';
import { Abandonment } from './abandonment.js';
import { cancelAbandoned } from './cancel-abandoned.js';

/** A connection in a transaction of this status, and others whose answers are given by hand. */
function connections(status: 'I' | 'T', mayBegin = false) {
  const state = { status, asked: [] as unknown[], answer: () => {}, connected: Promise.resolve() };
  const connection = new EventEmitter();
  const client = Object.assign(new EventEmitter(), {
    connection,
    processID: 7,
    getTransactionStatus: () => state.status,
  });
  const other = Object.assign(new EventEmitter(), {
    release: () => {},
    query: (_: string, values: unknown[]) => {
      state.asked.push(...values);
      return new Promise<void>((resolve) => (state.answer = resolve));
    },
  });
  const system = { connect: () => state.connected.then(() => other) };
  const abandonment = new Abandonment();
  const settle = cancelAbandoned(
    client as unknown as pg.PoolClient,
    system as unknown as pg.Pool,
    abandonment,
    { mayBegin },
  );
  return { state, connection, abandonment, settle };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('cancelling what was abandoned', () => {
  it('keeps the connection until the cancellation has been answered', async () => {
    const { state, abandonment, settle } = connections('T');
    abandonment.happen();
    await turn();
    expect(state.asked).toEqual([7]);
    let isSettled = false;
    const settled = settle().then(() => (isSettled = true));
    await turn();
    expect(isSettled).toBe(false);
    state.answer();
    await settled;
  });

  it('waits until the transaction has begun, and asks once', async () => {
    const { state, connection, abandonment } = connections('I');
    abandonment.happen();
    await turn();
    expect(state.asked).toEqual([]);
    state.status = 'T';
    connection.emit('readyForQuery');
    connection.emit('readyForQuery');
    await turn();
    expect(state.asked).toEqual([7]);
  });

  it('does not wait where the transaction is implied', async () => {
    const { state, abandonment } = connections('I', true);
    abandonment.happen();
    await turn();
    expect(state.asked).toEqual([7]);
  });

  it('asks again of a process that took no notice, until the statement has ended', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate'] });
    const { state, abandonment, settle } = connections('I', true);
    abandonment.happen();
    await turn();
    state.answer();
    await turn();
    jest.advanceTimersByTime(limits.cancelAgainMs);
    await turn();
    expect(state.asked).toEqual([7, 7]);
    state.answer();
    await turn();
    await settle();
    jest.advanceTimersByTime(limits.cancelAgainMs);
    await turn();
    expect(state.asked).toEqual([7, 7]);
    jest.useRealTimers();
  });

  it('does not ask when the statement has ended meanwhile', async () => {
    const { state, connection, abandonment, settle } = connections('T');
    let connect = () => {};
    state.connected = new Promise((resolve) => (connect = resolve));
    abandonment.happen();
    await settle();
    connect();
    await turn();
    expect(state.asked).toEqual([]);
    expect(connection.listenerCount('readyForQuery')).toBe(0);
  });
});
