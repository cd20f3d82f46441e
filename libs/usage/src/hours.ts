const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** All periods are of UTC, so that they are as long everywhere, and no hour is skipped or there twice. */
export type PeriodUnit = 'hour' | 'day' | 'month';

export interface Period {
  readonly from: Date;
  /** The first moment after it. */
  readonly to: Date;
}

/** The hour, day or month in which `at` lies. */
export function periodOf(unit: PeriodUnit, at: Date): Period {
  if (unit === 'month') {
    const [year, month] = [at.getUTCFullYear(), at.getUTCMonth()];
    return { from: new Date(Date.UTC(year, month)), to: new Date(Date.UTC(year, month + 1)) };
  }
  const unitMs = unit === 'hour' ? hourMs : dayMs;
  const startsMs = Math.floor(at.getTime() / unitMs) * unitMs;
  return { from: new Date(startsMs), to: new Date(startsMs + unitMs) };
}

/** The periods that `period` touches, in their order. */
export function periodsIn(unit: PeriodUnit, { from, to }: Period): Period[] {
  const periods: Period[] = [];
  for (let next = periodOf(unit, from); next.from < to; next = periodOf(unit, next.to)) periods.push(next);
  return periods;
}

/** The hours that `period` touches, whole: what is kept by the hour cannot be told finer. */
export function wholeHours({ from, to }: Period): Period {
  return { from: periodOf('hour', from).from, to: new Date(Math.ceil(to.getTime() / hourMs) * hourMs) };
}

export function lengthMs({ from, to }: Period): number {
  return to.getTime() - from.getTime();
}

let lastHour = { startsMs: 0, text: '' };

/** The beginning of the hour, as text; every request asks for it, and it is nearly always the last one's. */
export function hourText(at: Date): string {
  const startsMs = Math.floor(at.getTime() / hourMs) * hourMs;
  if (lastHour.startsMs !== startsMs) lastHour = { startsMs, text: new Date(startsMs).toISOString() };
  return lastHour.text;
}
