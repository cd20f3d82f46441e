import { expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { twoAtOnce } from './two-at-once.js';

it('does two things at a time, and gives their results in order, whichever of them fail', async () => {
  let running = 0;
  let most = 0;
  const results = twoAtOnce([30, 5, 20, -1, 1], async (ms) => {
    running += 1;
    most = Math.max(most, running);
    await delay(Math.abs(ms));
    running -= 1;
    if (ms < 0) throw new Error('failed');
    return ms;
  });
  const outcomes = await Promise.allSettled(results);
  expect(outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : 'failed'))).toEqual([
    30,
    5,
    20,
    'failed',
    1,
  ]);
  expect(most).toBe(2);
});
