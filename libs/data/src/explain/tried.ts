import type { Sql } from '#libs/platform';

/** What came of something that was tried. */
export type Tried<T> = { readonly value: T } | { readonly error: unknown };

/** Does something in a transaction that is taken back at once. */
export type Try = <T>(work: (tx: Sql) => Promise<T>) => Promise<Tried<T>>;

/** Does `work` and takes it back, with the settings and the role that it has set, whether it fails or not. */
export async function tried<T>(tx: Sql, work: () => Promise<T>): Promise<Tried<T>> {
  await tx.query('savepoint galley_trial');
  let result: Tried<T>;
  try {
    result = { value: await work() };
  } catch (error) {
    result = { error };
  }
  await tx.query('rollback to savepoint galley_trial');
  return result;
}

/** @throws what failed */
export async function undone<T>(tx: Sql, work: () => Promise<T>): Promise<T> {
  const result = await tried(tx, work);
  if ('error' in result) throw result.error;
  return result.value;
}

/** Tries that take no longer than `ms` all together; each may fail for want of time. */
export function triesWithin(tx: Sql, ms: number): Try {
  const end = Date.now() + ms;
  return (work) =>
    tried(tx, async () => {
      const left = Math.round(end - Date.now());
      if (left <= 0) throw new Error(`not tried, since explaining takes ${ms} ms at most`);
      await tx.query(shorterTimeout, [left]);
      return work(tx);
    });
}

/** The role may have a timeout that is shorter already; 0 is none. */
const shorterTimeout = `
  select set_config('statement_timeout', least(nullif(setting::int, 0), $1::int)::text, true)
  from pg_catalog.pg_settings where name = 'statement_timeout'`;
