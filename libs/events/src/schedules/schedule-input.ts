import { nestsDeeper } from '#libs/platform';
import { z } from 'zod';
import { cronProblem, isTimeZone } from './cron.js';
import { missedPolicies, overlaps, type NewSchedule, type Timing } from './schedule.js';
import { scheduleLimits } from './schedule-limits.js';

const name = z
  .string()
  .regex(/^[^\0]+$/, { error: 'expected a name' })
  .max(scheduleLimits.nameChars);

/** What PostgreSQL cannot hold in JSON, as `JSON.stringify` writes it: zero bytes and halves of surrogate pairs. */
const unstorable = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/;

function payloadProblem(payload: unknown): string | undefined {
  const { payloadBytes, payloadNesting } = scheduleLimits;
  if (nestsDeeper(payload, payloadNesting))
    return `expected lists and objects at most ${payloadNesting} deep in each other`;
  const json = JSON.stringify(payload ?? null);
  if (Buffer.byteLength(json) > payloadBytes) return `expected at most ${payloadBytes} bytes of JSON`;
  if (unstorable.test(json)) return 'expected text without zero bytes and without halves of characters';
  return undefined;
}

/** What a schedule is told by, in a manifest and to the management API. `scheduleProblems` checks it as a whole. */
export const scheduleShape = {
  /** The cron expression or moment when absent. */
  name: name.optional(),
  cron: z
    .string()
    .superRefine((expression, context) => {
      const message = cronProblem(expression);
      if (message) context.addIssue({ code: 'custom', message });
    })
    .optional(),
  time_zone: z
    .string()
    .refine(isTimeZone, { error: 'expected the name of a time zone, as "Europe/Berlin"' })
    .optional(),
  at: z.iso.datetime({ offset: true, error: 'expected a moment, as "2026-12-24T18:00:00Z"' }).optional(),
  overlap: z.enum(overlaps, { error: `expected one of ${overlaps.join(', ')}` }).default('skip'),
  missed: z.enum(missedPolicies, { error: `expected one of ${missedPolicies.join(', ')}` }).default('last'),
  payload: z
    .unknown()
    .superRefine((payload, context) => {
      const message = payloadProblem(payload);
      if (message) context.addIssue({ code: 'custom', message });
    })
    .default(null),
};

export type ScheduleInput = z.output<z.ZodObject<typeof scheduleShape>>;

/** What one setting demands of another, by the setting's name. */
export function scheduleProblems(input: ScheduleInput): [setting: keyof ScheduleInput, problem: string][] {
  const { cron, at, time_zone: timeZone, overlap, missed } = input;
  const problems: [keyof ScheduleInput, string][] = [];
  if ((cron === undefined) === (at === undefined))
    problems.push(['cron', 'expected either cron or at, when it is to fire']);
  if (at !== undefined && timeZone !== undefined)
    problems.push(['time_zone', 'expected none beside at, which is a moment by itself']);
  if (missed === 'all' && overlap === 'skip')
    problems.push([
      'missed',
      'expected overlap "queue" or "allow" beside "all": of several "skip" makes one',
    ]);
  return problems;
}

/** Undefined when it has neither name nor time, which is one of the problems. */
export function nameOf({ name: own, cron, at }: ScheduleInput): string | undefined {
  return own ?? cron ?? at;
}

/** A checked input as a schedule. */
export function scheduleOf(input: ScheduleInput): NewSchedule {
  const { cron, at, overlap, missed } = input;
  const timeZone = input.time_zone ?? 'UTC';
  const timing: Timing =
    cron === undefined ? { cron: null, timeZone, at: new Date(at!) } : { cron, timeZone, at: null };
  return { name: nameOf(input)!, timing, overlap, missed, payload: JSON.stringify(input.payload) };
}
