import { migrate, type Logger, type MigrationLedger, type Project } from '#libs/platform';
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
  async applied(tx) {
    const { rows } = await tx.query<{ version: string; name: string | null }>(
      'select version, name from supabase_migrations.schema_migrations',
    );
    // The CLI keeps no checksum and knows a migration by its number alone.
    return new Map(rows.map(({ version, name }) => [`${version}_${name ?? ''}.sql`, null]));
  },
  async record(tx, migration) {
    const [, version, name] = /^(\d+)_(.+)\.sql$/.exec(migration.name)!;
    await tx.query(
      'insert into supabase_migrations.schema_migrations (version, name, statements) values ($1, $2, $3)',
      [version, name, [migration.sql]],
    );
  },
};

const seedLedger: MigrationLedger = {
  lockKey: 0x67616c04,
  async prepare(tx) {
    await tx.query(`create table if not exists supabase_migrations.seed_files (
      path text primary key, hash text not null
    )`);
  },
  async applied(tx) {
    const { rows } = await tx.query<{ path: string }>('select path from supabase_migrations.seed_files');
    // A seed that was changed is not run again: its rows are there already.
    return new Map(rows.map(({ path }) => [path, null]));
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
