import type { Sql } from '#libs/platform';
import { periodOf } from './hours.js';
import { joinHourParts } from './invocation-record.js';
import { reservedPeaks } from './report/reserved-peaks.js';

const hourMs = 3_600_000;
/** Of an hour that began this long ago few invocations are still to be written. */
const writtenMs = 2 * hourMs;

/**
 * What is done once an hour with the sums of hours that are over: their parts are joined, and what invocations held at their
 * peak is worked out, so that a report finds it. Returns how many parts are gone.
 */
export async function tidyUsage(sql: Sql, projectRef: string, now: Date): Promise<number> {
  const to = periodOf('hour', now).from;
  await reservedPeaks(sql, projectRef, { from: new Date(to.getTime() - 24 * hourMs), to });
  return joinHourParts(sql, projectRef, new Date(now.getTime() - writtenMs));
}
