import type { Sql } from '#libs/platform';
import { lengthMs, periodOf, type Period, type PeriodUnit } from '../hours.js';
import type { Quantities } from '../prices/price-book.js';

export interface RequestTotals {
  readonly service: string;
  readonly requests: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
}

/** Requests by service, with what passed through clients' connections for them. */
export async function requestTotals(
  sql: Sql,
  projectRef: string,
  { from, to }: Period,
): Promise<RequestTotals[]> {
  const { rows } = await sql.query<RequestTotals>(
    `select service, sum(count)::float8 as requests, sum(bytes_in)::float8 as bytes_in,
            sum(bytes_out)::float8 as bytes_out
     from request_counts where project_ref = $1 and hour >= $2 and hour < $3 group by service order by service`,
    [projectRef, from, to],
  );
  return rows;
}

/** What a project used beside functions, by hour, day or month. */
export interface ProjectUsage {
  readonly at: Date;
  readonly quantities: Quantities;
}

/** Beside what is stored: see {@link storedBytes}. */
export async function projectUsage(
  sql: Sql,
  projectRef: string,
  unit: PeriodUnit,
  { from, to }: Period,
): Promise<ProjectUsage[]> {
  const { rows } = await sql.query<{ at: Date; name: keyof Quantities; amount: number }>(
    `select date_trunc($4, hour, 'UTC') as at, name, sum(amount)::float8 as amount
     from (
       select hour, meter as name, amount from meter_hours where project_ref = $1 and hour >= $2 and hour < $3
       union all
       select hour, unnest(array['requests', 'bytes_in', 'bytes_out']), unnest(array[count, bytes_in, bytes_out])
       from request_counts where project_ref = $1 and hour >= $2 and hour < $3) used
     group by 1, 2 order by 1, 2`,
    [projectRef, from, to, unit],
  );
  const byTime = new Map<number, ProjectUsage>();
  for (const { at, name, amount } of rows) {
    const { quantities = {} } = byTime.get(at.getTime()) ?? {};
    byTime.set(at.getTime(), { at, quantities: { ...quantities, [name]: amount } });
  }
  return [...byTime.values()];
}

/** How many people were active in the month of `at`. */
export async function activeUsers(sql: Sql, projectRef: string, at: Date): Promise<number> {
  const { rows } = await sql.query<{ users: number }>(
    'select count(*)::float8 as users from active_users where project_ref = $1 and month = $2::date',
    [projectRef, periodOf('month', at).from.toISOString().slice(0, 10)],
  );
  return rows[0]!.users;
}

/**
 * What `part` of a month adds to the average of what was stored in that month, counting nothing from `until` on. Between
 * two looks it was as much as at the first of them.
 */
export async function storedBytes(
  sql: Sql,
  projectRef: string,
  month: Period,
  part: Period,
  until: Date,
): Promise<number> {
  const { rows } = await sql.query<{ hour: Date; amount: number }>(
    `select hour, amount::float8 as amount from gauge_hours
     where project_ref = $1 and gauge = 'bytes_stored' and hour < $3
       and hour >= coalesce((select max(hour) from gauge_hours
                             where project_ref = $1 and gauge = 'bytes_stored' and hour <= $2), $2)
     order by hour`,
    [projectRef, part.from, part.to],
  );
  const end = Math.min(part.to.getTime(), until.getTime());
  let byteMs = 0;
  for (const [i, { hour, amount }] of rows.entries()) {
    const begins = Math.max(hour.getTime(), part.from.getTime());
    const ends = Math.min(rows[i + 1]?.hour.getTime() ?? end, end);
    byteMs += amount * Math.max(0, ends - begins);
  }
  return byteMs / lengthMs(month);
}
