import { AppError, parseInput } from '#libs/platform';
import { z } from 'zod';
import { lengthMs, periodOf, wholeHours, type Period } from '../hours.js';
import { usageLimits as limits } from '../limits.js';

const dayMs = 24 * 3_600_000;
const moment = z
  .string()
  .regex(
    /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$/,
    'expected a date, or a time with its zone, as 2026-11-01T00:00:00Z',
  )
  .refine((text) => !Number.isNaN(Date.parse(text)), { error: 'expected a moment that there is' })
  .transform((text) => new Date(text))
  // What comes before the first year is written otherwise, and nothing was counted then.
  .refine((at) => at.getTime() >= 0, { error: 'expected a moment since 1970' });

const query = z.strictObject({
  from: moment.optional(),
  to: moment.optional(),
  by: z.enum(['function', 'day', 'hour']).default('function'),
  prices: z.string().default('own'),
});

export interface UsageQuery {
  readonly period: Period;
  readonly by: 'function' | 'day' | 'hour';
  /** Whose prices: `own`, or a preset's name. */
  readonly prices: string;
}

/**
 * What is asked for: by default this month; from a moment on until now; until a moment from the beginning of its month.
 * Periods are in UTC, and widened to whole hours.
 * @throws AppError `invalid_request` (400)
 */
export function readUsageQuery(input: unknown, now: Date): UsageQuery {
  const { from, to, by, prices } = parseInput(query, input);
  const month = periodOf('month', to ? new Date(to.getTime() - 1) : now);
  const period = wholeHours({ from: from ?? month.from, to: to ?? (from ? now : month.to) });
  const most = by === 'hour' ? limits.hourlyDays : limits.periodDays;
  if (period.from >= period.to) throw refused('expected `from` before `to`');
  if (lengthMs(period) > most * dayMs) throw refused(`expected at most ${most} days by ${by}`);
  return { period, by, prices };
}

function refused(message: string): AppError {
  return new AppError({ code: 'invalid_request', status: 400, message });
}
