import type { PlatformDatabase, Project, Sql } from '#libs/platform';
import { isPaused } from './delivery/paused.js';

/** Counted in each database: whether there are more changes nothing for those who scale by it, and counting takes time. */
const maxCounted = 100_000;

/**
 * Resolves to how many events there are that no function is done with, over all projects: committed, queued or being
 * run, and due by a schedule. Outboxes count: while no worker runs nobody carries events out of them, and one that waits
 * there is what a worker is to be started for.
 */
export async function openEvents(platform: PlatformDatabase, projects: readonly Project[]): Promise<number> {
  const counts = await Promise.all([
    numberOf(platform, openDeliveries),
    numberOf(platform, 'select from schedules where next_at <= now() and not paused'),
    ...projects.map(({ database }) => numberOf(database, 'select from galley.outbox')),
  ]);
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Not what rests: its function or subscription is paused, or its next try is not due. */
const openDeliveries = `
  select from deliveries d
  where state in ('queued', 'running') and coalesce(retry_at <= now(), true) and not ${isPaused}`;

/** Resolves to how long the oldest of these waits that nobody has begun, 0 when none does. */
export async function oldestEventAgeMs(
  platform: PlatformDatabase,
  projects: readonly Project[],
): Promise<number> {
  const ages = await Promise.all([
    ageOf(
      platform,
      `select created_at as since from deliveries d
       where state = 'queued' and attempts = 0 and not ${isPaused} order by created_at limit 1`,
    ),
    ...projects.map(({ database }) =>
      ageOf(database, 'select occurred_at as since from galley.outbox order by position limit 1'),
    ),
  ]);
  return Math.max(...ages);
}

async function numberOf(sql: Sql, rowsOf: string): Promise<number> {
  const { rows } = await sql.query<{ count: number }>(
    `select count(*)::int as count from (${rowsOf} limit $1) as counted`,
    [maxCounted],
  );
  return rows[0]!.count;
}

async function ageOf(sql: Sql, oldest: string): Promise<number> {
  const { rows } = await sql.query<{ ageMs: number }>(
    `select greatest(extract(epoch from clock_timestamp() - since) * 1000, 0)::float8 as "ageMs"
     from (${oldest}) as oldest`,
  );
  return rows[0]?.ageMs ?? 0;
}
