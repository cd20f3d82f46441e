import type { Sql } from '#libs/platform';
import type { Period } from '../hours.js';
import { usageLimits as limits } from '../limits.js';

/** All functions together, where else a function's name stands. */
export const allFunctions = '*';
const hourMs = 3_600_000;
/** An invocation takes no longer: a WebSocket may stay open for a day. */
const longestRunMs = 25 * hourMs;

interface Hour {
  readonly startsMs: number;
  readonly invocations: number;
  readonly longestWallMs: number;
}

/**
 * The most memory, in GB, that invocations of each function, and of all together (`*`), held at the same moment of
 * `period`. It is worked out from the records by the hour, and kept; an hour to which invocations have come since is worked
 * out anew.
 */
export async function reservedPeaks(
  sql: Sql,
  projectRef: string,
  period: Period,
): Promise<Map<string, number>> {
  const hours = await invokedHours(sql, projectRef, period);
  const known = await knownPeaks(sql, projectRef, period);
  const peaks = new Map<string, number>();
  for (const hour of hours) {
    if (hour.startsMs < period.from.getTime()) continue;
    const before = hours.filter(
      ({ startsMs }) => startsMs <= hour.startsMs && startsMs >= hour.startsMs - longestRunMs,
    );
    const seen = before.reduce((sum, { invocations }) => sum + invocations, 0);
    let own = known.get(hour.startsMs);
    if (!own || !isGoodFor(own, seen)) {
      const gb = await workOut(sql, projectRef, hour.startsMs, earliestOf(before, hour));
      own = { seen, at: new Date(), gb };
      await keep(sql, projectRef, hour.startsMs, own);
    }
    for (const [slug, gb] of own.gb) peaks.set(slug, Math.max(gb, peaks.get(slug) ?? 0));
  }
  return peaks;
}

/** To go through very many takes seconds: it need not be done for each who asks. */
function isGoodFor(known: KnownPeaks, seen: number): boolean {
  if (known.seen === seen) return true;
  const ageMs = Date.now() - known.at.getTime();
  return known.seen >= limits.manyInvocations && seen > known.seen && ageMs < limits.peakAgeMs;
}

/** Those of the period, and those before it whose invocations may have gone on into it. */
async function invokedHours(sql: Sql, projectRef: string, { from, to }: Period): Promise<Hour[]> {
  const { rows } = await sql.query<{ hour: Date; invocations: number; longest: number }>(
    `select hour, sum(invocations)::float8 as invocations, max(longest_wall_ms) as longest from invocation_hours
     where project_ref = $1 and hour >= $2 and hour < $3 group by hour order by hour`,
    [projectRef, new Date(from.getTime() - longestRunMs), to],
  );
  return rows.map(({ hour, invocations, longest }) => ({
    startsMs: hour.getTime(),
    invocations,
    longestWallMs: longest,
  }));
}

interface KnownPeaks {
  readonly seen: number;
  readonly at: Date;
  readonly gb: ReadonlyMap<string, number>;
}

async function knownPeaks(
  sql: Sql,
  projectRef: string,
  { from, to }: Period,
): Promise<Map<number, KnownPeaks>> {
  const { rows } = await sql.query<{ hour: Date; slug: string; gb: number; seen: number; at: Date }>(
    `select hour, function_slug as slug, gb, seen::float8 as seen, at from reserved_peaks
     where project_ref = $1 and hour >= $2 and hour < $3`,
    [projectRef, from, to],
  );
  const known = new Map<number, KnownPeaks & { gb: Map<string, number> }>();
  for (const { hour, slug, gb, seen, at } of rows) {
    const own = known.get(hour.getTime()) ?? { seen, at, gb: new Map<string, number>() };
    own.gb.set(slug, gb);
    // Two readers may have kept an hour at once; what does not fit together is worked out anew.
    known.set(hour.getTime(), own.seen === seen ? own : { ...own, seen: -1 });
  }
  return known;
}

/** When the earliest invocation may have begun that was still running in `hour`. */
function earliestOf(before: readonly Hour[], hour: Hour): number {
  const reaching = before.filter(
    ({ startsMs, longestWallMs }) => startsMs + hourMs + longestWallMs > hour.startsMs,
  );
  return Math.min(...reaching.map(({ startsMs }) => startsMs));
}

/**
 * Goes through all beginnings and ends in their order and keeps count of what is held; what ends at a moment makes room
 * for what begins then.
 */
async function workOut(
  sql: Sql,
  projectRef: string,
  startsMs: number,
  earliestMs: number,
): Promise<Map<string, number>> {
  const { rows } = await sql.query<{ slug: string; gb: number }>(
    `with slugs as (
       select distinct function_slug as slug from invocation_hours
       where project_ref = $1 and hour >= $2 and hour <= $3),
     running as (
       select slug, started_at as began, started_at + wall_ms * interval '1 ms' as ended, memory_bytes
       from slugs join lateral (
         select started_at, wall_ms, memory_bytes from invocations
         where project_ref = $1 and function_slug = slug and started_at >= $2
           and started_at < $3 + interval '1 hour') own on true
       where started_at + wall_ms * interval '1 ms' > $3),
     steps as (
       select slug, began as at, memory_bytes as bytes from running
       union all select slug, ended, -memory_bytes from running),
     held as (
       select slug, at, sum(bytes) over (partition by slug order by at, bytes rows unbounded preceding) as own,
              sum(bytes) over (order by at, bytes rows unbounded preceding) as together
       from steps)
     select slug, max(own)::float8 / 1073741824 as gb from held
     where at >= $3 and at < $3 + interval '1 hour' group by slug
     union all
     select '${allFunctions}', max(together)::float8 / 1073741824 from held
     where at >= $3 and at < $3 + interval '1 hour'`,
    [projectRef, new Date(earliestMs), new Date(startsMs)],
  );
  return new Map(rows.map(({ slug, gb }) => [slug, Math.max(0, gb)]));
}

async function keep(sql: Sql, projectRef: string, startsMs: number, { seen, gb }: KnownPeaks): Promise<void> {
  await sql.query(
    `insert into reserved_peaks (project_ref, hour, function_slug, gb, seen)
     select $1, $2, slug, gb, $5 from unnest($3::text[], $4::float8[]) as peaks (slug, gb) order by slug
     on conflict (project_ref, hour, function_slug) do update set gb = excluded.gb, seen = excluded.seen, at = now()`,
    [projectRef, new Date(startsMs), [...gb.keys()], [...gb.values()], seen],
  );
}
