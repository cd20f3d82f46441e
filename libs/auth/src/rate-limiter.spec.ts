import { describe, expect, it } from '@jest/globals';
import { RateLimiter } from './rate-limiter.js';

function limiterAt(start: number, maxClients?: number) {
  let now = start;
  const limiter = new RateLimiter({ now: () => new Date(now) }, maxClients);
  return { limiter, pass: (ms: number) => (now += ms) };
}

describe('the rate limiter', () => {
  const rate = { requests: 3, perMs: 30_000 };

  it('lets a burst pass and then one request for each share of the time', () => {
    const { limiter, pass } = limiterAt(0);
    expect([1, 2, 3, 4].map(() => limiter.take('a', rate))).toEqual([0, 0, 0, 10]);
    pass(4_000);
    expect(limiter.take('a', rate)).toBe(6);
    pass(6_000);
    expect([1, 2].map(() => limiter.take('a', rate))).toEqual([0, 10]);
  });

  it('never lets more than a burst gather', () => {
    const { limiter, pass } = limiterAt(0);
    limiter.take('a', rate);
    pass(3_600_000);
    expect([1, 2, 3, 4].map(() => limiter.take('a', rate))).toEqual([0, 0, 0, 10]);
  });

  it('counts each client alone', () => {
    const { limiter } = limiterAt(0);
    const once = { requests: 1, perMs: 1000 };
    expect(['a', 'b', 'a'].map((client) => limiter.take(client, once))).toEqual([0, 0, 1]);
  });

  it('forgets the client that was silent longest when it knows too many', () => {
    const { limiter } = limiterAt(0, 2);
    const once = { requests: 1, perMs: 1000 };
    expect(['a', 'b', 'a', 'c', 'a', 'b'].map((client) => limiter.take(client, once))).toEqual([
      0, 0, 1, 0, 1, 0,
    ]);
  });
});
