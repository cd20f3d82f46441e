import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Migration, MigrationLedger } from '../database/migrate.js';
import { newId } from '../ids.js';
import { repositoryRoot } from '../repository-root.js';

/** The migrations of `prisma/migrations`, one folder each. */
export async function platformMigrations(): Promise<Migration[]> {
  const root = join(repositoryRoot, 'prisma', 'migrations');
  const folders = (await readdir(root, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  return Promise.all(
    folders.map(async ({ name }) => ({
      name,
      sql: await readFile(join(root, name, 'migration.sql'), 'utf8'),
    })),
  );
}

/** Prisma's own record of migrations, so that `prisma migrate deploy` finds its work done. */
export const prismaLedger: MigrationLedger = {
  lockKey: 0x67616c01,
  async prepare(tx) {
    await tx.query(`create table if not exists _prisma_migrations (
      id varchar(36) primary key,
      checksum varchar(64) not null,
      finished_at timestamptz,
      migration_name varchar(255) not null,
      logs text,
      rolled_back_at timestamptz,
      started_at timestamptz not null default now(),
      applied_steps_count integer not null default 0
    )`);
  },
  async applied(tx, { name }) {
    const { rows } = await tx.query<{ checksum: string }>(
      'select checksum from _prisma_migrations where migration_name = $1 and finished_at is not null',
      [name],
    );
    return rows[0]?.checksum;
  },
  async record(tx, migration, checksum) {
    await tx.query(
      `insert into _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count)
       values ($1, $2, $3, now(), 1)`,
      [newId(), checksum, migration.name],
    );
  },
};
