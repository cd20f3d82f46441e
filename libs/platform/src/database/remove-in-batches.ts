import type { Sql } from './sql.js';

/**
 * Runs a statement that removes at most `batchSize` rows until it finds fewer, so that nothing waits for all of them.
 * @returns how many were removed
 */
export async function removeInBatches(
  sql: Sql,
  batchSize: number,
  text: string,
  values: readonly unknown[],
): Promise<number> {
  let removed = 0;
  for (;;) {
    const { rowCount } = await sql.query(text, values);
    removed += rowCount;
    if (rowCount < batchSize) return removed;
  }
}
