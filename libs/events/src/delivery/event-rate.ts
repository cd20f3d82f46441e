import type { PlatformDatabase } from '#libs/platform';

/** How many invocations for events may begin within any such time. */
export interface EventRate {
  readonly count: number;
  readonly period_ms: number;
}

/**
 * Takes a place in a function's rate, over all workers.
 * @returns 0, or how long until a place is free
 */
export async function takeRate(
  database: PlatformDatabase,
  of: { projectRef: string; functionSlug: string },
  rate: EventRate,
): Promise<number> {
  return database.transaction(async (tx) => {
    const key = [of.projectRef, of.functionSlug];
    await tx.query(
      `insert into event_rates (project_ref, function_slug, begun_ms) values ($1, $2, '{}') on conflict do nothing`,
      key,
    );
    const { rows } = await tx.query<{ begun: number[]; now: number }>(
      `select begun_ms as begun, extract(epoch from clock_timestamp())::float8 * 1000 as now
       from event_rates where project_ref = $1 and function_slug = $2 for update`,
      key,
    );
    const { begun, now } = rows[0]!;
    const { waitMs, begun: after } = admit(begun, now, rate);
    if (waitMs === 0)
      await tx.query('update event_rates set begun_ms = $3 where project_ref = $1 and function_slug = $2', [
        ...key,
        after,
      ]);
    return waitMs;
  });
}

/** Gives a place back that was taken last and not used. */
export async function giveRateBack(
  database: PlatformDatabase,
  of: { projectRef: string; functionSlug: string },
): Promise<void> {
  await database.query(
    `update event_rates set begun_ms = trim_array(begun_ms, 1)
     where project_ref = $1 and function_slug = $2 and cardinality(begun_ms) > 0`,
    [of.projectRef, of.functionSlug],
  );
}

/**
 * Whether one more may begin: when fewer than `count` have within the last `period_ms`.
 * @param begun when the last ones did, oldest first, in ms
 */
export function admit(
  begun: readonly number[],
  now: number,
  { count, period_ms: periodMs }: EventRate,
): { waitMs: number; begun: number[] } {
  const recent = begun.filter((at) => at > now - periodMs);
  if (recent.length < count) return { waitMs: 0, begun: [...recent, now] };
  return { waitMs: Math.max(1, Math.ceil(recent.at(-count)! + periodMs - now)), begun: recent };
}
