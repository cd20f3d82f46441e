import { removeInBatches, type Sql } from '#libs/platform';
import { limits } from '../limits.js';

/**
 * Removes deliveries that ended more than `days` ago; of servers that sweep at the same time each takes others.
 * @returns how many were removed
 */
export function sweepDeliveries(sql: Sql, projectRef: string, days: number): Promise<number> {
  return removeInBatches(
    sql,
    limits.sweptDeliveries,
    `delete from deliveries where id in (
       select id from deliveries
       where project_ref = $1 and state in ('succeeded', 'dead', 'cancelled')
         and finished_at < now() - make_interval(days => $2)
       limit $3 for update skip locked)`,
    [projectRef, days, limits.sweptDeliveries],
  );
}
