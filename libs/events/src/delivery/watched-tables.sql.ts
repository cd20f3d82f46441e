import type { Sql } from '#libs/platform';

/** Until the transaction ends, nobody else changes what of the project is active and what it subscribes to. */
export async function lockActivations(tx: Sql, projectRef: string): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(hashtextextended($1, 0))`, [
    `galley activations ${projectRef}`,
  ]);
}

/** `schema.table` of all row subscriptions of the project. */
export async function watchedTables(tx: Sql, projectRef: string): Promise<string[]> {
  const { rows } = await tx.query<{ table: string }>(
    `select distinct filter ->> 'table' as table from subscriptions
     where project_ref = $1 and filter ->> 'table' is not null`,
    [projectRef],
  );
  return rows.map((row) => row.table);
}
