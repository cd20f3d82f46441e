import type pg from 'pg';
import { prepared } from './prepared.js';
import type { Sql } from './sql.js';

/** A statement that is sent ahead of the first one whose result is wanted. */
export type Ahead = Pick<pg.QueryConfig, 'name' | 'text' | 'values'>;

/** Runs `work` on a connection of the pool; one that broke is not used again. */
export async function withClient<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  const onError = (error: Error) => {
    broken = error;
  };
  client.on('error', onError);
  try {
    return await work(client);
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}

/**
 * Runs `work` between BEGIN and COMMIT, or another `end`. BEGIN and `ahead` are not waited for: on a pipelined connection they travel
 * with the first statement of `work`, and if one of them fails PostgreSQL refuses all that follow.
 *
 * @throws what failed first, after ROLLBACK
 */
export async function inTransaction<T>(
  client: pg.PoolClient,
  ahead: readonly Ahead[],
  work: () => Promise<T>,
  begin = 'begin',
  end: readonly string[] = ['commit'],
): Promise<T> {
  try {
    const result = await sentAhead(client, [{ text: begin }, ...ahead], work);
    for (const statement of end) await client.query(statement);
    return result;
  } catch (error) {
    // When the connection itself broke, ROLLBACK fails too; the first error is the one that says why.
    await client.query('rollback').catch(() => {});
    throw error;
  }
}

/** Sends `statements`, then runs `work` without waiting for them. @throws what failed first */
export async function sentAhead<T>(
  client: pg.PoolClient,
  statements: readonly Ahead[],
  work: () => Promise<T>,
): Promise<T> {
  const { stream } = client.connection;
  // Held back until the first statement of `work` is written, so that all leave in one system call.
  stream.cork();
  process.nextTick(() => stream.uncork());
  const sent = Promise.all(statements.map((statement) => client.query(statement)));
  sent.catch(() => {}); // Told below.
  try {
    const result = await work();
    await sent;
    return result;
  } catch (error) {
    await sent;
    throw error;
  }
}

/** @param prepare keeps statements prepared on the connection: for texts that are constant */
export function sqlOf(client: pg.PoolClient, prepare = false): Sql {
  return {
    async query<Row extends object>(text: string, values: readonly unknown[] = []) {
      const statement = prepare ? prepared(text, values) : { text, values: values as unknown[] };
      const result = await client.query<Row>(statement);
      return { rows: result.rows, rowCount: result.rowCount ?? 0 };
    },
  };
}

/** How a statement is run, and its values given. */
export interface StatementOptions {
  /** Gives all values as PostgreSQL writes them. */
  readonly asText?: boolean;
  /**
   * Keeps the statement prepared under this name on every connection it runs on; one name for one text, and no more of
   * them than a connection may hold.
   */
  readonly statementName?: string | undefined;
}

const asText: pg.CustomTypesConfig = { getTypeParser: () => (value: unknown) => value };

export function statementOf(options: StatementOptions, text: string, values: readonly unknown[]) {
  return {
    name: options.statementName,
    text,
    values: values as unknown[],
    ...(options.asText && { types: asText }),
  };
}
