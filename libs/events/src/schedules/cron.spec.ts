import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { cronProblem, isTimeZone, lastTimes, nextTime, type Cron } from './cron.js';

const berlin = (expression: string): Cron => ({ expression, timeZone: 'Europe/Berlin' });
const utc = (expression: string): Cron => ({ expression, timeZone: 'UTC' });

function times(cron: Cron, from: string, count: number): string[] {
  const found: string[] = [];
  for (let at: Date | null = new Date(from); found.length < count; found.push(at.toISOString())) {
    at = nextTime(cron, at);
    if (!at) break;
  }
  return found.map((time) => time.replace('.000Z', 'Z'));
}

describe('a cron expression', () => {
  it('has seconds when it has six fields', () => {
    expect(times(utc('*/20 * * * * *'), '2026-05-01T00:00:05.300Z', 3)).toEqual([
      '2026-05-01T00:00:20Z',
      '2026-05-01T00:00:40Z',
      '2026-05-01T00:01:00Z',
    ]);
    expect(times(utc('*/20 * * * *'), '2026-05-01T00:00:00Z', 1)).toEqual(['2026-05-01T00:20:00Z']);
  });

  it('is read in its time zone', () => {
    expect(times(berlin('0 9 * * MON-FRI'), '2026-01-02T12:00:00Z', 1)).toEqual(['2026-01-05T08:00:00Z']);
    expect(times(berlin('0 9 * * MON-FRI'), '2026-07-03T12:00:00Z', 1)).toEqual(['2026-07-06T07:00:00Z']);
  });

  it('fires once, that much later, at a time that the clocks jump over', () => {
    expect(times(berlin('30 2 * * *'), '2026-03-28T00:00:00Z', 3)).toEqual([
      '2026-03-28T01:30:00Z',
      '2026-03-29T01:30:00Z',
      '2026-03-30T00:30:00Z',
    ]);
  });

  it.each([
    [
      'America/Santiago',
      '0 0 * * *',
      '2026-09-05T12:00:00Z',
      ['2026-09-06T04:00:00Z', '2026-09-07T03:00:00Z'],
    ],
    [
      'America/Santiago',
      '30 0 * * SUN',
      '2026-09-05T12:00:00Z',
      ['2026-09-06T04:30:00Z', '2026-09-13T03:30:00Z'],
    ],
    ['Africa/Cairo', '0 0 * * *', '2026-04-23T12:00:00Z', ['2026-04-23T22:00:00Z', '2026-04-24T21:00:00Z']],
    [
      'America/Havana',
      '15 0 8 3 *',
      '2026-03-01T00:00:00Z',
      ['2026-03-08T05:15:00Z', '2027-03-08T05:15:00Z'],
    ],
  ])(
    'fires in %s at "%s" on the day that the clocks begin an hour late',
    (timeZone, expression, from, due) => {
      expect(times({ expression, timeZone }, from, 2)).toEqual(due);
    },
  );

  it('has a time still to come that was left out, for who asks after the clocks were put forward', () => {
    const at: Cron = { expression: '30 0 * * *', timeZone: 'America/Santiago' };
    expect(times(at, '2026-09-06T04:10:00Z', 1)).toEqual(['2026-09-06T04:30:00Z']);
    expect(times(at, '2026-09-06T04:30:00Z', 1)).toEqual(['2026-09-07T03:30:00Z']);
  });

  it('fires once at a time of day that comes twice, and every half hour in both', () => {
    expect(times(berlin('30 2 * * *'), '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T00:30:00Z',
      '2026-10-26T01:30:00Z',
    ]);
    expect(times(berlin('*/30 * * * *'), '2026-10-24T23:30:00Z', 5)).toEqual([
      '2026-10-25T00:00:00Z',
      '2026-10-25T00:30:00Z',
      '2026-10-25T01:00:00Z',
      '2026-10-25T01:30:00Z',
      '2026-10-25T02:00:00Z',
    ]);
  });

  it.each([
    '',
    '* * * *',
    '* * * * * * *',
    '60 * * * *',
    '*/0 * * * *',
    '10-5 * * * *',
    'H * * * *',
    '0 0 30 2 *',
    '0 0 31 2,4 *',
    '0 0 * * MON#6',
    '@daily',
    "0 0 * * '",
    '0 '.repeat(200),
  ])('%j is refused', (expression) => {
    expect(cronProblem(expression)).toMatch(/^expected five fields, minute to day of week, or six/);
  });

  it.each([
    '* * * * *',
    '0 0 L * *',
    '0 0 29 2 *',
    '5/15 1-3 1,15 JAN-MAR *',
    '0 0 * * THU#1',
    ' 0 0 * * 7 ',
  ])('%j is taken', (expression) => {
    expect(cronProblem(expression)).toBeUndefined();
  });
});

describe('the last times before a moment', () => {
  const expressions = [
    '* * * * * *',
    '*/7 * * * *',
    '30 2 * * *',
    '* * 0 * * *',
    '0 12 * * MON',
    '0 0 1 1 *',
  ];

  it('are those that come one after the other up to it, also where clocks change', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...expressions),
        fc.constantFrom('2026-03-29T01:00:00Z', '2026-10-25T01:00:00Z'),
        fc.integer({ min: -5_000, max: 20_000 }),
        fc.integer({ min: 1, max: 5 }),
        (expression, change, offsetSeconds, most) => {
          const cron = berlin(expression);
          const to = new Date(new Date(change).getTime() + offsetSeconds * 1000);
          const from = new Date(to.getTime() - 600_000);
          const forward: Date[] = [];
          for (let at = nextTime(cron, new Date(from.getTime() - 1)); at && at <= to; at = nextTime(cron, at))
            forward.push(at);
          expect(lastTimes(cron, from, to, most)).toEqual(forward.slice(-most));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('are those of the clocks, also on a day that begins late', () => {
    const daily: Cron = { expression: '30 0 * * *', timeZone: 'Africa/Cairo' };
    const due = (to: string) => lastTimes(daily, new Date('2026-04-20T00:00:00Z'), new Date(to), 2);
    expect(due('2026-04-23T22:15:00Z')).toEqual([
      new Date('2026-04-21T22:30:00Z'),
      new Date('2026-04-22T22:30:00Z'),
    ]);
    expect(due('2026-04-23T22:45:00Z')).toEqual([
      new Date('2026-04-22T22:30:00Z'),
      new Date('2026-04-23T22:30:00Z'),
    ]);
  });

  it('are found without counting through the years between', () => {
    const [last] = lastTimes(utc('* * * 1 1 *'), new Date('2000-01-01'), new Date('2026-12-31'), 1);
    expect(last).toEqual(new Date('2026-01-01T23:59:59Z'));
  });
});

it.each([
  ['Europe/Berlin', true],
  ['UTC', true],
  ['America/Argentina/Buenos_Aires', true],
  ['Etc/GMT+5', true],
  ['+01:00', false],
  ['Mars/Olympus', false],
  ['', false],
])('%j as a time zone: %s', (name, is) => {
  expect(isTimeZone(name)).toBe(is);
});
