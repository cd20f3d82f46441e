import {
  migrate,
  OperatorError,
  type Logger,
  type Migration,
  type MigrationLedger,
  type Project,
} from '#libs/platform';
import type { ProjectFolder } from './read-project-folder.js';

/** The record that the Supabase CLI keeps too, so that either tool sees what the other applied. */
const supabaseLedger: MigrationLedger = {
  lockKey: 0x67616c03,
  async prepare(tx) {
    await tx.query('create schema if not exists supabase_migrations');
    await tx.query(`create table if not exists supabase_migrations.schema_migrations (
      version text primary key, statements text[], name text
    )`);
  },
  // The CLI keeps no checksum and knows a migration by its number alone, some versions of it without a name.
  async applied(tx, migration) {
    const { version, name } = partsOf(migration);
    const { rows } = await tx.query<{ name: string | null }>(
      'select name from supabase_migrations.schema_migrations where version = $1',
      [version],
    );
    if (!rows[0]) return undefined;
    const before = rows[0].name;
    if (before === null || before === '' || before === name) return null;
    throw new OperatorError(
      `Migration ${migration.name} has the number of ${version}_${before}.sql, which was applied before. ` +
        'If it is another one, give it a number of its own; if it was renamed, give it its old name again.',
    );
  },
  async record(tx, migration) {
    const { version, name } = partsOf(migration);
    await tx.query(
      'insert into supabase_migrations.schema_migrations (version, name, statements) values ($1, $2, $3)',
      [version, name, [migration.sql]],
    );
  },
};

/** `20261101000000_profiles.sql` → its number and what it does. */
function partsOf(migration: Migration): { version: string; name: string } {
  const [, version, name] = /^(\d+)_(.+)\.sql$/.exec(migration.name)!;
  return { version: version!, name: name! };
}

const seedLedger: MigrationLedger = {
  lockKey: 0x67616c04,
  async prepare(tx) {
    await tx.query(`create table if not exists supabase_migrations.seed_files (
      path text primary key, hash text not null
    )`);
  },
  // A seed that was changed is not run again: its rows are there already.
  async applied(tx, seed) {
    const { rows } = await tx.query('select from supabase_migrations.seed_files where path = $1', [
      seed.name,
    ]);
    return rows.length === 0 ? undefined : null;
  },
  async record(tx, seed, checksum) {
    await tx.query('insert into supabase_migrations.seed_files (path, hash) values ($1, $2)', [
      seed.name,
      checksum,
    ]);
  },
};

/**
 * Applies the folder's migrations, then its seeds, each once. Returns the names of those that it applied.
 * @throws OperatorError naming the file and line that PostgreSQL refused; nothing of that file stays.
 */
export async function applyMigrations(
  project: Project,
  folder: Pick<ProjectFolder, 'migrations' | 'seeds'>,
  logger: Logger,
): Promise<string[]> {
  const begin: Parameters<typeof migrate>[0] = (work) => project.database.asSystem(work);
  const applied = await migrate(begin, folder.migrations, supabaseLedger);
  const seeded = await migrate(begin, folder.seeds, seedLedger);
  const names = [...applied, ...seeded];
  for (const name of names) logger.info({ migration: name }, 'Applied');
  return names;
}
