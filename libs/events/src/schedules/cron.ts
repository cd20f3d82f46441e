import { CronExpressionParser } from 'cron-parser';
import { scheduleLimits } from './schedule-limits.js';

/** A cron expression of five fields, or of six, the first of which are seconds, and the time zone it is read in. */
export interface Cron {
  readonly expression: string;
  /** IANA, as `Europe/Berlin`. A time that a change of clocks leaves out comes that much later, one that it repeats comes once. */
  readonly timeZone: string;
}

const timeZonePattern = /^[A-Za-z]\w*(?:[/+-]\w+)*$/;

/** The first time after `after`; null when none is in reach. */
export function nextTime(cron: Cron, after: Date): Date | null {
  const next = parsedNext(cron.expression, cron.timeZone, after);
  const leftOut = leftOutTime(cron, after);
  return leftOut && (!next || leftOut < next) ? leftOut : next;
}

function parsedNext(expression: string, timeZone: string, after: Date): Date | null {
  try {
    return CronExpressionParser.parse(expression, { currentDate: after, tz: timeZone }).next().toDate();
  } catch {
    return null; // It is checked when it is declared, so it can only have come to its end.
  }
}

/**
 * When the next time comes that the clocks leave out, if the next one by the calendar is such. The parser moves it itself
 * within a day; where the day begins with the gap (in Cairo, Santiago, Beirut or Havana) it leaves the whole day out.
 */
function leftOutTime({ expression, timeZone }: Cron, after: Date): Date | null {
  // As the clocks would go without the change, also just after it: then the time is still to come.
  const clock =
    after.getTime() +
    Math.min(offsetMs(timeZone, after.getTime() - gapMs), offsetMs(timeZone, after.getTime()));
  const onClock = parsedNext(expression, 'UTC', new Date(clock))?.getTime();
  if (onClock === undefined) return null;
  const before = onClock - offsetMs(timeZone, onClock - dayMs);
  const since = onClock - offsetMs(timeZone, onClock + dayMs);
  const isShown = [before, since].some((time) => time + offsetMs(timeZone, time) === onClock);
  return isShown || before <= after.getTime() ? null : new Date(before);
}

/** Clocks are put forward by no more. */
const gapMs = 2 * 3_600_000;
const dayMs = 24 * 3_600_000;

/** One for each time zone that was asked about. */
const clocks = new Map<string, Intl.DateTimeFormat>();

/** How far the clocks of a time zone are ahead of UTC at a moment. */
function offsetMs(timeZone: string, at: number): number {
  const clock =
    clocks.get(timeZone) ?? new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' });
  clocks.set(timeZone, clock);
  const [, sign, hours, minutes, seconds = 0] =
    /GMT([+-])(\d\d):(\d\d)(?::(\d\d))?$/.exec(clock.format(at)) ?? [];
  if (sign === undefined) return 0;
  const aheadMs = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
  return sign === '-' ? -aheadMs : aheadMs;
}

/**
 * The newest times from `from` to `to`, at most `most`, oldest first. (They are looked for by what follows what, since
 * the parser's way back does not mirror its way forward where clocks change.)
 */
export function lastTimes(cron: Cron, from: Date, to: Date, most: number): Date[] {
  const times: Date[] = [];
  let before = to.getTime();
  while (times.length < most) {
    const time = lastTime(cron, from.getTime(), before);
    if (time === undefined) break;
    times.unshift(new Date(time));
    before = time - 1;
  }
  return times;
}

/** The newest time from `from` to `to`: first some time in reach, looking further and further back, then ever later ones. */
function lastTime(cron: Cron, from: number, to: number): number | undefined {
  const next = (after: number) => nextTime(cron, new Date(after))?.getTime() ?? Infinity;
  let back = 1;
  let start = to - back;
  while (next(start) > to) {
    if (start < from) return undefined;
    back = back * 2 + 1000;
    start = Math.max(from - 1, to - back);
  }
  let low = next(start);
  let high = to;
  for (;;) {
    const middle = low + Math.floor((high - low) / 2);
    const later = next(middle);
    if (later <= to) low = later;
    else if (middle === low) return low;
    else high = middle;
  }
}

/** What is wrong with an expression; undefined when nothing is. */
export function cronProblem(expression: string): string | undefined {
  const fields = expression.trim().split(/\s+/);
  const expected = 'expected five fields, minute to day of week, or six with seconds before them';
  if (expression.length > scheduleLimits.cronChars || (fields.length !== 5 && fields.length !== 6))
    return expected;
  // Jenkins' H would be another time in each process.
  if (!/^[\dA-Za-z*,/#?\s-]+$/.test(expression) || /(^|[\s,])H/i.test(expression)) return expected;
  try {
    CronExpressionParser.parse(expression, { tz: 'UTC' }).next();
    return undefined;
  } catch (error) {
    return `${expected}: ${(error as Error).message}`;
  }
}

export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name }).format();
    return timeZonePattern.test(name);
  } catch {
    return false;
  }
}
