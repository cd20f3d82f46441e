import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { listen } from '../database/listen.js';
import { migrate } from '../database/migrate.js';
import { prepared } from '../database/prepared.js';
import type { Sql } from '../database/sql.js';
import { inTransaction, plainFrame, sqlOf, withClient } from '../database/transaction.js';
import { PrismaClient } from './generated/client.js';
import { platformMigrations, prismaLedger } from './platform-migrations.js';

const poolSize = 8;
/**
 * Statements are planned each time: a plan that was kept from when the tables were small reads all of them, until
 * PostgreSQL has counted them anew, which may take minutes.
 */
const options = '-c plan_cache_mode=force_custom_plan';

/** Galley's own database: projects, deployments, deliveries, invocations, usage. */
export class PlatformDatabase implements Sql {
  /** Plain reads and writes of the platform's tables, where nobody waits for the millisecond. */
  readonly prisma: PrismaClient;
  readonly #pool: pg.Pool;

  private constructor(readonly connection: pg.ClientConfig) {
    const pool = { ...connection, options, max: poolSize, idleTimeoutMillis: 10_000 };
    // BEGIN and the first statement travel in one round trip.
    this.#pool = new pg.Pool({ ...pool, pipeline: true } as pg.PoolConfig);
    this.#pool.on('error', () => {});
    this.prisma = new PrismaClient({ adapter: new PrismaPg(this.#pool) });
  }

  /** Connects, making the database and its tables where they are missing. */
  static async open(server: pg.ClientConfig, name: string): Promise<PlatformDatabase> {
    await createDatabase(server, name);
    const database = new PlatformDatabase({ ...server, database: name });
    await migrate((work) => database.transaction(work), await platformMigrations(), prismaLedger);
    return database;
  }

  /** One statement of its own: claims, conditional updates, and what a function's call waits for. */
  async query<Row extends object = Record<string, unknown>>(text: string, values: readonly unknown[] = []) {
    const { rows, rowCount } = await this.#pool.query<Row>(prepared(text, values));
    return { rows, rowCount: rowCount ?? 0 };
  }

  /** Several statements that are committed together. */
  async transaction<T>(work: (tx: Sql) => Promise<T>): Promise<T> {
    return withClient(this.#pool, (client) =>
      inTransaction(client, plainFrame, () => work(sqlOf(client, true))),
    );
  }

  /** See {@link ProjectDatabase.listen}. */
  listen(channel: string, onNotify: (payload: string) => void): Promise<() => Promise<void>> {
    return listen(this.connection, channel, onNotify);
  }

  async close(): Promise<void> {
    await this.prisma.$disconnect();
    await this.#pool.end();
  }
}

async function createDatabase(server: pg.ClientConfig, name: string): Promise<void> {
  const client = new pg.Client(server);
  await client.connect();
  try {
    const existing = await client.query('select 1 from pg_database where datname = $1', [name]);
    if (existing.rowCount) return;
    await client.query(`create database ${pg.escapeIdentifier(name)}`).catch((error: { code?: string }) => {
      // 42P04 duplicate_database, 23505 on its catalogue index: another server was faster.
      if (error.code !== '42P04' && error.code !== '23505') throw error;
    });
  } finally {
    await client.end();
  }
}
