/**
 * Of a statement that writes rows, a part named `planned`, which it has to read from: what PostgreSQL asks by itself for
 * each row, whether its project exists, is then planned once on a connection. As all statements of the platform are
 * planned each time, it would be for each row.
 */
export const planOnce = `planned as materialized (select set_config('plan_cache_mode', 'auto', true))`;
