import pg from 'pg';
import type { Config } from './config/config.js';
import { DataDirectory } from './data-directory/data-directory.js';
import { OperatorError } from './errors/app-error.js';
import type { Logger } from './logging/logger.js';
import { PlatformDatabase } from './platform-database/platform-database.js';
import { EmbeddedPostgres } from './postgres/embedded-postgres.js';
import { openProject } from './project/open-project.js';
import { ProjectRegistry } from './project/project-registry.js';
import { Sealer } from './sealing.js';

/** The project that is made at first start and answers at the root URL. */
const firstProjectRef = 'local';

/** What lies under all features in one process: settings, secrets, databases, projects. */
export class Platform {
  private constructor(
    readonly config: Config,
    readonly logger: Logger,
    readonly sealer: Sealer,
    readonly database: PlatformDatabase,
    readonly projects: ProjectRegistry,
    readonly isEmbedded: boolean,
    private readonly closers: (() => Promise<void>)[],
  ) {}

  /**
   * Opens everything, from the outside in; what was opened is closed again when a later step fails.
   * @throws OperatorError that says what to mend.
   */
  static async open(config: Config, logger: Logger): Promise<Platform> {
    const closers: (() => Promise<void>)[] = [];
    try {
      const { server, masterKey } = await reachPostgres(config, logger, closers);
      const sealer = new Sealer(masterKey);
      const database = await PlatformDatabase.open(server, config.postgres.platformDatabase);
      closers.push(() => database.close());
      const projects = new ProjectRegistry();
      closers.push(() => projects.close());
      projects.add(
        await openProject({
          ref: firstProjectRef,
          connection: server,
          config,
          platformDatabase: database,
          sealer,
        }),
      );
      return new Platform(config, logger, sealer, database, projects, !config.postgres.url, closers);
    } catch (error) {
      await closeAll(closers);
      throw error;
    }
  }

  async close(): Promise<void> {
    await closeAll(this.closers);
  }
}

async function closeAll(closers: (() => Promise<void>)[]): Promise<void> {
  for (const close of closers.splice(0).toReversed()) await close();
}

async function reachPostgres(
  config: Config,
  logger: Logger,
  closers: (() => Promise<void>)[],
): Promise<{ server: pg.ClientConfig; masterKey: Buffer }> {
  const given = config.masterKey === undefined ? undefined : Buffer.from(config.masterKey, 'base64');
  if (config.postgres.url) {
    if (!given) throw new OperatorError(missingMasterKey);
    const server = connectionOf(config.postgres.url);
    await checkConnection(server);
    return { server, masterKey: given };
  }
  const directory = await DataDirectory.acquire(config.dataDir);
  closers.push(() => directory.release());
  const masterKey = given ?? (await directory.masterKey());
  const password = new Sealer(masterKey).derive('embedded postgres', 24).toString('base64url');
  const postgres = await EmbeddedPostgres.start({ dataDir: config.dataDir, password, logger });
  closers.push(() => postgres.stop());
  return { server: { ...postgres.connection, database: 'postgres' }, masterKey };
}

/**
 * Fields instead of a URL: a URL's database would win over the one that is named beside it.
 * @throws OperatorError when a file that it names cannot be read
 */
function connectionOf(url: string): pg.ClientConfig {
  const { host, port, user, password, database, ssl } = clientOf(url);
  return {
    host,
    port,
    ...(user && { user }),
    ...(password && { password }),
    ...(database && { database }),
    ssl,
  };
}

function clientOf(url: string): pg.Client {
  try {
    return new pg.Client({ connectionString: url });
  } catch (cause) {
    throw new OperatorError(`DATABASE_URL cannot be used: ${(cause as Error).message}`, { cause });
  }
}

const missingMasterKey =
  'DATABASE_URL is set but GALLEY_MASTER_KEY is not. Servers that share a database need the same master key: ' +
  'make one with `openssl rand -base64 32` and give it to each of them.';

/** What Node.js says of a certificate when it knows nobody who vouches for it (tls, X509 certificate error codes). */
const unknownAuthority: readonly unknown[] = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
];
const howToTrust =
  '. Its certificate is verified: name the file of its authority in DATABASE_URL (`sslmode=verify-full&sslrootcert=…`), ' +
  'or do without (`sslmode=no-verify`).';

async function checkConnection(server: pg.ClientConfig): Promise<void> {
  const client = new pg.Client({ ...server, connectionTimeoutMillis: 10_000 });
  try {
    await client.connect();
    const { rows } = await client.query<{ superuser: boolean }>(
      'select rolsuper as superuser from pg_roles where rolname = current_user',
    );
    if (!rows[0]?.superuser) {
      throw new OperatorError(
        `The user of DATABASE_URL is not a superuser of PostgreSQL. Galley makes roles and databases: give it one that is.`,
      );
    }
  } catch (cause) {
    if (cause instanceof OperatorError) throw cause;
    const { message, code } = cause as Error & { code?: unknown };
    const hint = unknownAuthority.includes(code) ? howToTrust : '';
    throw new OperatorError(`PostgreSQL at DATABASE_URL does not answer: ${message}${hint}`, { cause });
  } finally {
    await client.end().catch(() => {});
  }
}
