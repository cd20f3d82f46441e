import type { PlatformDatabase, Project, Sql } from '#libs/platform';

/** Counted in each database: whether there are more changes nothing for those who scale by it, and counting takes time. */
const maxCounted = 100_000;

/**
 * Resolves to how many events there are that no function is done with, over all projects: committed, queued or being
 * run. Outboxes count: while no worker runs nobody carries events out of them, and one that waits there is what a worker
 * is to be started for.
 */
export async function openEvents(platform: PlatformDatabase, projects: readonly Project[]): Promise<number> {
  const counts = await Promise.all([
    numberOf(platform, `select from deliveries where state in ('queued', 'running')`),
    ...projects.map(({ database }) => numberOf(database, 'select from galley.outbox')),
  ]);
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Resolves to how long the oldest of these waits that nobody has begun, 0 when none does. */
export async function oldestEventAgeMs(
  platform: PlatformDatabase,
  projects: readonly Project[],
): Promise<number> {
  const ages = await Promise.all([
    ageOf(
      platform,
      `select created_at as since from deliveries
       where state = 'queued' and attempts = 0 order by created_at limit 1`,
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
