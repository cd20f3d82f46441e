import type { Sql } from '#libs/platform';
import { limits } from '../limits.js';

/**
 * Removes deliveries that ended more than `days` ago, a batch in each statement, so that nothing waits for it, and of
 * workers that sweep at the same time each takes others.
 * @returns how many were removed
 */
export async function sweepDeliveries(sql: Sql, projectRef: string, days: number): Promise<number> {
  let removed = 0;
  for (;;) {
    const { rowCount } = await sql.query(
      `delete from deliveries where id in (
         select id from deliveries
         where project_ref = $1 and state in ('succeeded', 'dead', 'cancelled')
           and finished_at < now() - make_interval(days => $2)
         limit $3 for update skip locked)`,
      [projectRef, days, limits.sweptDeliveries],
    );
    removed += rowCount;
    if (rowCount < limits.sweptDeliveries) return removed;
  }
}
