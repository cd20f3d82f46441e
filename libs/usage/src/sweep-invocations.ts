import { removeInBatches, type Sql } from '#libs/platform';

/** Records removed with one statement. */
const batchSize = 5_000;

/** Removes records of invocations that began more than `days` ago; returns how many those were. */
export function sweepInvocations(sql: Sql, projectRef: string, days: number): Promise<number> {
  return removeInBatches(
    sql,
    batchSize,
    `delete from invocations where id in (
       select id from invocations where project_ref = $1 and started_at < now() - make_interval(days => $2)
       limit $3 for update skip locked)`,
    [projectRef, days, batchSize],
  );
}
