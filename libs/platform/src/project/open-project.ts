import pg from 'pg';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config/config.js';
import { migrate, type Migration, type MigrationLedger } from '../database/migrate.js';
import { ProjectDatabase } from '../database/project-database.js';
import { quoteLiteral } from '../database/sql.js';
import type { PlatformDatabase } from '../platform-database/platform-database.js';
import { repositoryRoot } from '../repository-root.js';
import type { Sealer } from '../sealing.js';
import { makeProjectKeys, type ProjectKeys } from './project-keys.js';
import { Project } from './project.js';

const idleConnectionMs = 10_000;
const systemPoolSize = 6;

/** Opens the project `ref`: its keys, its database in today's shape, its connections. */
export async function openProject(options: {
  ref: string;
  /** A superuser's connection to the project's database. */
  connection: pg.ClientConfig;
  config: Config;
  platformDatabase: PlatformDatabase;
  sealer: Sealer;
}): Promise<Project> {
  const { ref, connection, config, platformDatabase, sealer } = options;
  const keys = await keepKeys(ref, config, platformDatabase, sealer);
  const password = sealer.derive('authenticator', 24).toString('base64url');
  const database = new ProjectDatabase({
    system: { ...connection, max: systemPoolSize, idleTimeoutMillis: idleConnectionMs },
    callers: {
      ...connection,
      user: 'authenticator',
      password,
      max: config.postgres.poolSize,
      idleTimeoutMillis: idleConnectionMs,
    },
    waitMs: config.postgres.waitMs,
  });
  await migrate((work) => database.asSystem(work), await projectMigrations(), projectLedger);
  await letAuthenticatorIn(connection, database, password);
  const sharesJwtSecret = config.keys.jwtSecret !== undefined;
  const { apiUrl, trustedKeys } = config;
  return new Project({ ref, keys, sharesJwtSecret, trustedKeys, database, sealer, apiUrl });
}

/** What the operator gives is used; the rest is what was made at the first start. */
async function keepKeys(
  ref: string,
  config: Config,
  platformDatabase: PlatformDatabase,
  sealer: Sealer,
): Promise<ProjectKeys> {
  return platformDatabase.transaction(async (tx) => {
    await tx.query('select pg_advisory_xact_lock(hashtext($1))', [`keys of project ${ref}`]);
    const { rows } = await tx.query<{ sealed_keys: Buffer }>(
      'select sealed_keys from projects where ref = $1',
      [ref],
    );
    const context = `keys of project ${ref}`;
    const kept = rows[0] ? (JSON.parse(sealer.open(rows[0].sealed_keys, context)) as ProjectKeys) : undefined;
    // Legacy keys are signed with the JWT secret: a new secret makes new ones.
    const secretChanged = config.keys.jwtSecret !== undefined && config.keys.jwtSecret !== kept?.jwtSecret;
    const base: Partial<ProjectKeys> = { ...kept };
    if (secretChanged) {
      delete (base as Record<string, unknown>)['anonKey'];
      delete (base as Record<string, unknown>)['serviceRoleKey'];
    }
    const keys = await makeProjectKeys({ ...base, ...config.keys });
    await tx.query(
      `insert into projects (ref, sealed_keys) values ($1, $2)
       on conflict (ref) do update set sealed_keys = excluded.sealed_keys`,
      [ref, sealer.seal(JSON.stringify(keys), context)],
    );
    return keys;
  });
}

async function projectMigrations(): Promise<Migration[]> {
  const root = join(repositoryRoot, 'prisma', 'project');
  const files = (await readdir(root)).filter((name) => name.endsWith('.sql'));
  return Promise.all(files.map(async (name) => ({ name, sql: await readFile(join(root, name), 'utf8') })));
}

const projectLedger: MigrationLedger = {
  lockKey: 0x67616c02,
  async prepare(tx) {
    await tx.query('create schema if not exists galley');
    await tx.query(`create table if not exists galley.migrations (
      name text primary key, checksum text not null, applied_at timestamptz not null default now()
    )`);
  },
  async applied(tx, { name }) {
    const { rows } = await tx.query<{ checksum: string }>(
      'select checksum from galley.migrations where name = $1',
      [name],
    );
    return rows[0]?.checksum;
  },
  async record(tx, migration, checksum) {
    await tx.query('insert into galley.migrations (name, checksum) values ($1, $2)', [
      migration.name,
      checksum,
    ]);
  },
};

/** Sets the login role's password unless it is right already; projects on one PostgreSQL share the role. */
async function letAuthenticatorIn(
  connection: pg.ClientConfig,
  database: ProjectDatabase,
  password: string,
): Promise<void> {
  const probe = new pg.Client({ ...connection, user: 'authenticator', password });
  try {
    await probe.connect();
  } catch {
    await database.query(`alter role authenticator login password ${quoteLiteral(password)}`);
  } finally {
    await probe.end().catch(() => {});
  }
}
