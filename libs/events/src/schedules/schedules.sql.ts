import type { Sql } from '#libs/platform';
import type { DueSchedule } from './due-runs.js';
import { nextRun, scheduleId, type NewSchedule, type Timing } from './schedule.js';
import { scheduleLimits } from './schedule-limits.js';

/** Tells schedulers that something else may be due next. */
export const schedulesChannel = 'galley_schedules';

/** How many schedules one claim takes. */
export const scheduleClaimSize = 100;

/** A schedule that this scheduler holds until its transaction ends. */
export interface ClaimedSchedule extends DueSchedule {
  readonly id: string;
  readonly projectRef: string;
  readonly functionSlug: string;
  readonly name: string;
}

/** A schedule as the management API tells it. */
export interface ListedSchedule {
  readonly id: string;
  readonly function: string;
  readonly name: string;
  readonly source: 'manifest' | 'api';
  readonly cron: string | null;
  readonly time_zone: string;
  readonly at: Date | null;
  readonly overlap: string;
  readonly missed: string;
  readonly payload: unknown;
  readonly paused: boolean;
  readonly next_at: Date | null;
  readonly last_at: Date | null;
  readonly waiting: number;
  readonly skipped: number;
}

const openRun = `exists (select from deliveries d where d.subscription_id = s.id
  and d.event_name = 'schedule.fired' and d.state in ('queued', 'running'))`;

/**
 * Takes schedules that have something to do, and that no other scheduler holds. What has come of them is read by a
 * statement of its own: the one that waits for nobody's lock may have begun before the holder before was done.
 */
export async function claimSchedules(tx: Sql, now: Date): Promise<ClaimedSchedule[]> {
  const { rows: claimed } = await tx.query<{ id: string }>(
    `select s.id from schedules s
     where not s.paused and (s.next_at <= $1 or (s.waiting <> '{}' and not ${openRun}))
     order by s.next_at limit $2 for update of s skip locked`,
    [now, scheduleClaimSize],
  );
  if (claimed.length === 0) return [];
  const { rows } = await tx.query<Omit<ClaimedSchedule, 'timing'> & Timing>(
    `select s.id, s.project_ref as "projectRef", s.function_slug as "functionSlug", s.name, s.cron,
            s.time_zone as "timeZone", s.at, s.overlap, s.missed, s.payload::text as payload, s.next_at as "nextAt",
            s.waiting, ${openRun} as "isRunning",
            exists (select from functions f where f.project_ref = s.project_ref and f.slug = s.function_slug)
              as "isInService"
     from schedules s where s.id = any($1::uuid[]) order by s.next_at`,
    [claimed.map(({ id }) => id)],
  );
  return rows.map(({ cron, timeZone, at, ...row }) => ({ ...row, timing: { cron, timeZone, at } as Timing }));
}

/** Writes what a claimed schedule waits for now. */
export async function advanceSchedule(
  tx: Sql,
  id: string,
  after: { nextAt: Date | null; waiting: readonly Date[]; skipped: number; lastAt: Date | null },
): Promise<void> {
  await tx.query(
    `update schedules set next_at = $2, waiting = $3::timestamptz[], skipped = skipped + $4,
                          last_at = coalesce($5::timestamptz, last_at)
     where id = $1`,
    [id, after.nextAt, after.waiting, after.skipped, after.lastAt],
  );
}

/** When something is due next. */
export async function nextDueAt(sql: Sql): Promise<Date | null> {
  const { rows } = await sql.query<{ at: Date | null }>(
    'select min(next_at) as at from schedules where not paused',
  );
  return rows[0]!.at;
}

/**
 * Makes `schedules` the ones that the function's manifest declares. One whose times stay the same goes on as it was,
 * and one that was made by the management API under the same name becomes the manifest's.
 */
export async function replaceSchedules(
  tx: Sql,
  projectRef: string,
  functionSlug: string,
  schedules: readonly NewSchedule[],
): Promise<void> {
  const ids = schedules.map(({ name }) => scheduleId(projectRef, functionSlug, name));
  const { rowCount } = await tx.query(
    `delete from schedules
     where project_ref = $1 and function_slug = $2 and source = 'manifest' and id <> all($3::uuid[])`,
    [projectRef, functionSlug, ids],
  );
  const now = new Date();
  for (const schedule of schedules)
    await putSchedule(tx, projectRef, functionSlug, schedule, 'manifest', now);
  if (rowCount + schedules.length > 0) await tellSchedulers(tx);
}

/** Writes a schedule. What is due next follows from `now`, unless the schedule is there and its times stay the same. */
export async function putSchedule(
  tx: Sql,
  projectRef: string,
  functionSlug: string,
  { name, timing, overlap, missed, payload }: NewSchedule,
  source: ListedSchedule['source'],
  now: Date,
): Promise<void> {
  await tx.query(
    `insert into schedules as s (id, project_ref, function_slug, name, source, cron, time_zone, at, overlap, missed,
                                 payload, next_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb, $12)
     on conflict (id) do update set
       source = excluded.source, cron = excluded.cron, time_zone = excluded.time_zone, at = excluded.at,
       overlap = excluded.overlap, missed = excluded.missed, payload = excluded.payload, updated_at = now(),
       waiting = case when excluded.overlap = 'queue' then s.waiting else '{}' end,
       next_at = case when (s.cron, s.time_zone, s.at) is not distinct from
                           (excluded.cron, excluded.time_zone, excluded.at)
                      then s.next_at else excluded.next_at end`,
    [
      scheduleId(projectRef, functionSlug, name),
      projectRef,
      functionSlug,
      name,
      source,
      timing.cron,
      timing.timeZone,
      timing.at,
      overlap,
      missed,
      payload,
      nextRun(timing, now),
    ],
  );
}

/** One that rests fires nothing, and misses nothing: it goes on with what is due after `now`. */
export async function setPaused(
  tx: Sql,
  schedule: ListedSchedule,
  paused: boolean,
  now: Date,
): Promise<void> {
  const { cron, time_zone: timeZone, at } = schedule;
  await tx.query(
    `update schedules set paused = $2, waiting = '{}', next_at = $3, updated_at = now() where id = $1`,
    [schedule.id, paused, nextRun({ cron, timeZone, at } as Timing, now)],
  );
}

/** By function and name. @param id of one schedule; all when absent */
export async function listSchedules(sql: Sql, projectRef: string, id?: string): Promise<ListedSchedule[]> {
  const { rows } = await sql.query<ListedSchedule>(
    `select id, function_slug as function, name, source, cron, time_zone, at, overlap, missed, payload, paused,
            case when not paused then next_at end as next_at, last_at, cardinality(waiting) as waiting,
            skipped::float8 as skipped
     from schedules where project_ref = $1 and ($2::uuid is null or id = $2)
     order by function_slug, name limit $3`,
    [projectRef, id ?? null, scheduleLimits.perProject],
  );
  return rows;
}

export async function deleteSchedule(tx: Sql, id: string): Promise<void> {
  await tx.query('delete from schedules where id = $1', [id]);
}

/**
 * Removes the one-off time, of those that the management API made, that has been over for longest.
 * @returns false when there is none
 */
export async function deleteOldestSpent(tx: Sql, projectRef: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    `delete from schedules where id = (
       select id from schedules
       where project_ref = $1 and source = 'api' and at is not null and next_at is null and waiting = '{}'
       order by at limit 1)`,
    [projectRef],
  );
  return rowCount > 0;
}

/** When its function is deleted. */
export async function deleteSchedulesOf(tx: Sql, projectRef: string, functionSlug: string): Promise<void> {
  await tx.query('delete from schedules where project_ref = $1 and function_slug = $2', [
    projectRef,
    functionSlug,
  ]);
}

export async function tellSchedulers(tx: Sql): Promise<void> {
  await tx.query(`select pg_notify($1, '')`, [schedulesChannel]);
}
