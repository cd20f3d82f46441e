import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { InstanceTarget, type FunctionLoad, type QueueLoad } from './instance-target.js';
import { scalingLimits } from './scaling-limits.js';

const fn: FunctionLoad = { instances: 0, maxInstances: 100, concurrency: 1, serviceMs: 100 };
const queue = (backlog: number, more: Partial<QueueLoad> = {}): QueueLoad => ({
  backlog,
  active: 0,
  oldestAgeMs: 0,
  ...more,
});

describe('how many instances the events of a function get', () => {
  it('is none without work, and one with the first event', () => {
    expect(new InstanceTarget().decide(queue(0), fn, 0).instances).toBe(0);
    expect(new InstanceTarget().decide(queue(1), fn, 0).instances).toBe(1);
  });

  it('is no more than work the backlog off in time: many short runs need few', () => {
    // 35 runs of 100 ms at 70 % are 5 s.
    expect(new InstanceTarget().decide(queue(35), fn, 0).instances).toBe(1);
    expect(new InstanceTarget().decide(queue(100), fn, 0).instances).toBe(3);
    const long = { ...fn, serviceMs: 60_000 };
    expect(new InstanceTarget().decide(queue(4), long, 0).instances).toBe(4);
  });

  it('counts what an instance runs at once', () => {
    expect(new InstanceTarget().decide(queue(100), { ...fn, concurrency: 10 }, 0).instances).toBe(1);
  });

  it('grows by four or to twice as many at a time, up to the most that are allowed', () => {
    const target = new InstanceTarget();
    let instances = 0;
    const steps: number[] = [];
    for (let second = 0; second < 6; second += 1) {
      ({ instances } = target.decide(queue(100_000), { ...fn, instances }, second * 1000));
      steps.push(instances);
    }
    expect(steps).toEqual([4, 8, 16, 32, 64, 100]);
  });

  it('follows the age of the oldest event when there are few and slow ones', () => {
    const slow = { ...fn, instances: 1, serviceMs: 400 };
    const fresh = new InstanceTarget().decide(queue(6, { active: 1 }), slow, 0);
    const late = new InstanceTarget().decide(queue(6, { active: 1, oldestAgeMs: 20_000 }), slow, 0);
    expect([fresh.instances, late.instances]).toEqual([1, 4]);
  });

  it('gives nothing back that was wanted a moment ago, and all of it once nothing waits', () => {
    const target = new InstanceTarget();
    const most = target.decide(queue(1000), fn, 0).instances;
    expect(target.decide(queue(1), { ...fn, instances: most }, 10_000).instances).toBe(most);
    expect(target.decide(queue(0), { ...fn, instances: most }, 20_000).instances).toBe(0);
  });

  it('gives back at most half at a time', () => {
    const target = new InstanceTarget();
    target.decide(queue(1), fn, 0);
    const later = 2 * scalingLimits.stableWindowMs;
    expect(target.decide(queue(1), { ...fn, instances: 40 }, later).instances).toBe(20);
  });

  it('turns once when much comes at once and is worked off', () => {
    const target = new InstanceTarget();
    const most = { ...fn, maxInstances: 8 };
    let jobs = 1000;
    let instances = 0;
    const steps: number[] = [];
    let ms = 0;
    for (; jobs > 0; ms += 1000) {
      ({ instances } = target.decide(
        queue(jobs - instances, { active: instances }),
        { ...most, instances },
        ms,
      ));
      steps.push(instances);
      jobs -= (instances * 1000) / 100;
    }
    steps.push(target.decide(queue(0), { ...most, instances }, ms).instances);
    const turns = steps.filter(
      (step, i) => i > 0 && i < steps.length - 1 && step > steps[i - 1]! !== steps[i + 1]! > step,
    );
    expect(Math.max(...steps)).toBe(8);
    expect(steps.at(-1)).toBe(0);
    expect(turns.length).toBeLessThanOrEqual(2);
    // 1000 runs of 100 ms on 8 instances take 12.5 s.
    expect(ms).toBeLessThanOrEqual(1.3 * 12_500);
  });

  it('is never less than one while there is work, nor more than allowed or than a step away', () => {
    const load = fc.record({
      backlog: fc.nat(200_000),
      active: fc.nat(100),
      oldestAgeMs: fc.nat(10_000_000),
      serviceMs: fc.option(fc.double({ min: 0.01, max: 1e6, noNaN: true })),
      concurrency: fc.double({ min: 1, max: 100, noNaN: true }),
      maxInstances: fc.integer({ min: 1, max: 100 }),
      pauseMs: fc.integer({ min: 100, max: 30_000 }),
    });
    fc.assert(
      fc.property(fc.array(load, { minLength: 1, maxLength: 50 }), (loads) => {
        const target = new InstanceTarget();
        let instances = 0;
        let nowMs = 0;
        for (const { backlog, active, oldestAgeMs, serviceMs, concurrency, maxInstances, pauseMs } of loads) {
          const before = instances;
          nowMs += pauseMs;
          const about = { instances, maxInstances, concurrency, serviceMs };
          ({ instances } = target.decide({ backlog, active, oldestAgeMs }, about, nowMs));
          if (backlog + active === 0) expect(instances).toBe(0);
          else expect(instances).toBeGreaterThanOrEqual(1);
          expect(instances).toBeLessThanOrEqual(maxInstances);
          expect(Number.isInteger(instances)).toBe(true);
          // What was decided in the last minute may come back at once.
          if (loads.length === 1) expect(instances).toBeLessThanOrEqual(before + scalingLimits.stepUp);
        }
      }),
    );
  });
});
