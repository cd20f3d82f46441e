import type { Project } from '#libs/platform';

/** What a function in SQL does to wait while the gate is closed. */
export const passGate = 'select pg_advisory_xact_lock_shared(1)';

/** Closes the gate of a project's database. Gives what opens it, when all who waited may go on. */
export async function closeGate({ database }: Project): Promise<() => Promise<void>> {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  let held = Promise.resolve();
  await new Promise<void>((resolve, reject) => {
    held = database.asSystem(async (tx) => {
      await tx.query('select pg_advisory_xact_lock(1)');
      resolve();
      await opened;
    });
    held.catch(reject);
  });
  return () => {
    open();
    return held;
  };
}

/** How many wait at the gate. */
export async function waiting({ database }: Project): Promise<number> {
  const { rows } = await database.query<{ n: number }>(
    `select count(*)::int as n from pg_locks where locktype = 'advisory' and not granted
     and database = (select oid from pg_database where datname = current_database())`,
  );
  return rows[0]!.n;
}

/** How many statements callers run now. */
export async function running({ database }: Project): Promise<number> {
  const { rows } = await database.query<{ n: number }>(
    `select count(*)::int as n from pg_stat_activity
     where datname = current_database() and usename = 'authenticator' and state = 'active'`,
  );
  return rows[0]!.n;
}
