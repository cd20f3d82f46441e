import { removeInBatches, type PlatformDatabase, type Sql } from '#libs/platform';
import { limits } from '../limits.js';

/** What is kept of the lines of each project. */
interface LogRetention {
  readonly days: number;
  /** The newest ones. */
  readonly lines: number;
}

/**
 * Removes log lines that are too old or too many, and those of functions that were deleted; of servers that sweep at the
 * same time each takes others.
 * @returns how many lines were removed
 */
export async function sweepLogs(
  database: PlatformDatabase,
  projectRef: string,
  { days, lines }: LogRetention,
): Promise<number> {
  const tooMany = await beyond(database, projectRef, lines);
  return (
    (await sweepWhere(database, `l.project_ref = $1 and l.at < now() - make_interval(days => $2)`, [
      projectRef,
      days,
    ])) +
    (tooMany
      ? await sweepWhere(
          database,
          `l.project_ref = $1 and (l.at, l.position) <= ($2::timestamptz, $3::bigint)`,
          [projectRef, tooMany.at, tooMany.position],
        )
      : 0) +
    (await sweepWhere(
      database,
      'l.project_ref = $1 and not exists (select from deployments d where d.id = l.deployment_id)',
      [projectRef],
    ))
  );
}

/** The newest line of those beyond the `lines` newest. */
async function beyond(sql: Sql, projectRef: string, lines: number) {
  const { rows } = await sql.query<{ at: Date; position: string }>(
    `select l.at, l.position::text from function_logs l where l.project_ref = $1
     order by l.at desc, l.position desc offset $2 limit 1`,
    [projectRef, lines],
  );
  return rows[0];
}

function sweepWhere(sql: Sql, condition: string, values: readonly unknown[]): Promise<number> {
  return removeInBatches(
    sql,
    limits.sweptLogLines,
    `delete from function_logs where id in (
       select l.id from function_logs l where ${condition} limit ${limits.sweptLogLines} for update skip locked)`,
    values,
  );
}
