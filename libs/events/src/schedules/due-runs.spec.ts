import { describe, expect, it } from '@jest/globals';
import { decide, type DueSchedule } from './due-runs.js';
import { scheduleLimits } from './schedule-limits.js';

const at = (time: string) => new Date(`2026-05-01T${time}Z`);
const minutely: DueSchedule = {
  timing: { cron: '* * * * *', timeZone: 'UTC', at: null },
  overlap: 'allow',
  missed: 'last',
  payload: 'null',
  nextAt: at('10:00:00'),
  waiting: [],
  isRunning: false,
  isInService: true,
};
const once: DueSchedule = { ...minutely, timing: { cron: null, timeZone: 'UTC', at: at('10:00:00') } };
const everySecond: DueSchedule = {
  ...minutely,
  timing: { cron: '* * * * * *', timeZone: 'UTC', at: null },
};

describe('a schedule', () => {
  it('does nothing before its time', () => {
    expect(decide(minutely, at('09:59:59.999'))).toMatchObject({ fire: [], nextAt: minutely.nextAt });
  });

  it('fires at its time, and then waits for the next', () => {
    expect(decide(minutely, at('10:00:00'))).toEqual({
      fire: [at('10:00:00')],
      waiting: [],
      nextAt: at('10:01:00'),
      skipped: 0,
    });
  });

  it('fires once when it is for one moment', () => {
    expect(decide(once, at('10:00:00.200'))).toMatchObject({ fire: [at('10:00:00')], nextAt: null });
  });

  it('makes each run that is only a little late, whatever it does about missed ones', () => {
    for (const missed of ['skip', 'last', 'all'] as const) {
      const { fire } = decide({ ...everySecond, missed }, at('10:00:02.500'));
      expect(fire).toEqual([at('10:00:00'), at('10:00:01'), at('10:00:02')]);
    }
  });

  it('after a downtime makes the last of the runs that it missed', () => {
    expect(decide(minutely, at('10:20:30'))).toMatchObject({
      fire: [at('10:20:00')],
      nextAt: at('10:21:00'),
    });
    expect(decide(once, at('23:00:00')).fire).toEqual([at('10:00:00')]);
  });

  it('makes none of them when it is told to skip them', () => {
    expect(decide({ ...minutely, missed: 'skip' }, at('10:20:30'))).toMatchObject({
      fire: [],
      nextAt: at('10:21:00'),
    });
    expect(decide({ ...once, missed: 'skip' }, at('23:00:00'))).toMatchObject({ fire: [], nextAt: null });
  });

  it('makes all of them when it is told to, up to a bound the newest', () => {
    const all = { ...minutely, missed: 'all' as const };
    expect(decide(all, at('10:03:30')).fire).toEqual([
      at('10:00:00'),
      at('10:01:00'),
      at('10:02:00'),
      at('10:03:00'),
    ]);
    const { fire } = decide(all, at('23:00:30'));
    expect(fire).toHaveLength(scheduleLimits.missedRuns);
    expect(fire.at(-1)).toEqual(at('23:00:00'));
  });

  it('skips a run while one before it has not ended', () => {
    const skip = { ...minutely, overlap: 'skip' as const };
    expect(decide({ ...skip, isRunning: true }, at('10:00:00'))).toMatchObject({ fire: [], skipped: 1 });
    expect(decide(skip, at('10:00:00')).fire).toHaveLength(1);
  });

  it('lets runs wait for those before them, and makes them one after another', () => {
    const line = { ...minutely, overlap: 'queue' as const };
    const held = decide({ ...line, isRunning: true }, at('10:00:00'));
    expect(held).toMatchObject({ fire: [], waiting: [at('10:00:00')], skipped: 0 });
    const next = decide({ ...line, waiting: held.waiting, nextAt: held.nextAt }, at('10:01:00'));
    expect(next).toMatchObject({ fire: [at('10:00:00')], waiting: [at('10:01:00')] });
  });

  it('lets only so many runs wait, and counts what it gave up', () => {
    const waiting = Array.from({ length: scheduleLimits.waitingRuns }, (_, i) => new Date(i));
    const full = decide({ ...minutely, overlap: 'queue', isRunning: true, waiting }, at('10:00:00'));
    expect(full.waiting).toHaveLength(scheduleLimits.waitingRuns);
    expect(full.waiting.at(-1)).toEqual(at('10:00:00'));
    expect(full.skipped).toBe(1);
  });

  it('fires nothing while its function is not in service', () => {
    expect(decide({ ...minutely, isInService: false }, at('10:00:00'))).toEqual({
      fire: [],
      waiting: [],
      nextAt: at('10:01:00'),
      skipped: 1,
    });
  });
});
