import pg from 'pg';
import type { Ahead } from './transaction.js';

/** What `pg` has and its types leave out. */
interface Connection {
  /** name → text of what PostgreSQL has prepared. */
  readonly parsedStatements: Readonly<Record<string, string>>;
  bind(config: { statement: string; values: readonly unknown[] }): void;
  execute(config: object): void;
}

interface PgQuery extends pg.Query {
  queryMode: 'extended';
  prepare(connection: Connection): void;
  handleDataRow(message: unknown): void;
  handleCommandComplete(message: unknown, connection: Connection): void;
}

const PgQuery = pg.Query as unknown as new (
  statement: pg.QueryConfig,
  callback: (error: Error | null, result: pg.QueryResult) => void,
) => PgQuery;

/** Settings that are kept prepared on their connection. */
export type PreparedSettings = Ahead & Required<Pick<Ahead, 'name' | 'values'>>;

/**
 * Runs one statement under `settings`, which end with it, in the transaction that PostgreSQL begins and ends by itself for
 * all that comes before a Sync (postgresql.org, "Message Flow", "Pipelining"): without the messages of BEGIN and COMMIT,
 * which cost more than many a statement, and without a description of what the settings answer.
 */
export async function inImpliedTransaction<Row extends object>(
  client: pg.PoolClient,
  settings: PreparedSettings,
  statement: pg.QueryConfig,
): Promise<pg.QueryResult<Row>> {
  const connection = client.connection as unknown as Connection;
  // Alone they change nothing; from then on they are prepared.
  if (connection.parsedStatements[settings.name] === undefined) client.query(settings).catch(() => {});
  return new Promise((resolve, reject) => {
    client.query(
      new SettledQuery(settings, statement, (error, result) => (error ? reject(error) : resolve(result))),
    );
  });
}

/** A query of `pg` whose messages come after those of its settings, before the same Sync. */
class SettledQuery extends PgQuery {
  #areSet = false;

  constructor(
    private readonly settings: PreparedSettings,
    ...rest: ConstructorParameters<typeof PgQuery>
  ) {
    super(...rest);
    // Also of a statement without values: the simple protocol would leave the settings out.
    this.queryMode = 'extended';
  }

  override prepare(connection: Connection): void {
    const { name, values } = this.settings;
    connection.bind({ statement: name, values });
    connection.execute({});
    super.prepare(connection);
  }

  override handleDataRow(message: unknown): void {
    if (this.#areSet) super.handleDataRow(message);
  }

  override handleCommandComplete(message: unknown, connection: Connection): void {
    if (this.#areSet) super.handleCommandComplete(message, connection);
    else this.#areSet = true;
  }
}
