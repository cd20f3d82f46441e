import { createHash } from 'node:crypto';
import { OperatorError } from '../errors/app-error.js';
import type { Sql } from './sql.js';

/** One migration file: `name` orders and identifies it, `sql` is its whole text. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** Where the record of applied migrations is kept. */
export interface MigrationLedger {
  /** Taken for the whole run, so that servers that start together apply each migration once. */
  readonly lockKey: number;
  prepare(tx: Sql): Promise<void>;
  /** The checksum that `migration` was applied with, null where none was kept; undefined when it was not applied. */
  applied(tx: Sql, migration: Migration): Promise<string | null | undefined>;
  record(tx: Sql, migration: Migration, checksum: string): Promise<void>;
}

/**
 * Applies the migrations that `ledger` does not know yet, in the order of their names, each in one
 * transaction together with its record. Returns the names that it applied.
 *
 * @throws OperatorError when a migration that was applied has changed since, or one fails (nothing of it stays).
 */
export async function migrate(
  begin: <T>(work: (tx: Sql) => Promise<T>) => Promise<T>,
  migrations: readonly Migration[],
  ledger: MigrationLedger,
): Promise<string[]> {
  const ordered = migrations.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const done: string[] = [];
  await begin(async (tx) => {
    await tx.query('select pg_advisory_xact_lock($1)', [ledger.lockKey]);
    await ledger.prepare(tx);
  });
  for (const migration of ordered) {
    const ran = await begin(async (tx) => {
      await tx.query('select pg_advisory_xact_lock($1)', [ledger.lockKey]);
      return applyOnce(tx, migration, ledger);
    });
    if (ran) done.push(migration.name);
  }
  return done;
}

async function applyOnce(tx: Sql, migration: Migration, ledger: MigrationLedger): Promise<boolean> {
  const checksum = createHash('sha256').update(migration.sql).digest('hex');
  const before = await ledger.applied(tx, migration);
  if (before !== undefined) {
    if (before !== null && before !== checksum) {
      throw new OperatorError(
        `Migration ${migration.name} was changed after it had been applied. ` +
          'Restore its text and put the change into a new migration.',
      );
    }
    return false;
  }
  try {
    await tx.query(migration.sql);
  } catch (error) {
    throw new OperatorError(`Migration ${migration.name} failed: ${describe(error, migration.sql)}`, {
      cause: error,
    });
  }
  // A migration may leave its role or search_path changed for the rest of the transaction.
  await tx.query('reset all');
  await ledger.record(tx, migration, checksum);
  return true;
}

function describe(error: unknown, sql: string): string {
  const { message, position } = error as { message: string; position?: string };
  if (!position) return message;
  const line = sql.slice(0, Number(position)).split('\n').length;
  return `${message} (line ${line})`;
}
