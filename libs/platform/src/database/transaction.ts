import type pg from 'pg';
import { isForgottenStatement } from './forget-session.js';
import { prepared } from './prepared.js';
import type { Sql } from './sql.js';

/** A statement that is sent ahead of the first one whose result is wanted. */
export type Ahead = Pick<pg.QueryConfig, 'name' | 'text' | 'values'>;

/** Runs `work` on a connection of the pool; one that broke, or that `work` drops, is not used again. */
export async function withClient<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient, drop: () => void) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  let isDropped = false;
  const drop = () => {
    isDropped = true;
  };
  client.on('error', drop);
  try {
    return await work(client, drop);
  } catch (error) {
    if (isForgottenStatement(error)) drop();
    throw error;
  } finally {
    client.off('error', drop);
    client.release(isDropped);
  }
}

/** What stands around the statements of a transaction. */
export interface Frame {
  readonly begin: string;
  /** Sent with BEGIN. */
  readonly ahead: readonly Ahead[];
  readonly end: readonly string[];
  /** Sends what follows the end, whichever it was, and is waited for. */
  after(): Promise<void>;
}

/** A transaction with nothing special about it. */
export const plainFrame: Frame = { begin: 'begin', ahead: [], end: ['commit'], after: async () => {} };

/**
 * Runs `work` between BEGIN and COMMIT, or another end. BEGIN is not waited for: on a pipelined connection it travels with the
 * first statement of `work`, and if it fails PostgreSQL refuses all that follow.
 *
 * @throws what failed first, after ROLLBACK
 */
export async function inTransaction<T>(
  client: pg.PoolClient,
  { begin, ahead, end, after }: Frame,
  work: () => Promise<T>,
): Promise<T> {
  let result;
  try {
    result = await sentAhead(client, [{ text: begin }, ...ahead], work);
  } catch (error) {
    // When the connection itself broke, ROLLBACK fails too; the first error is the one that says why.
    await Promise.all([client.query('rollback').catch(() => {}), after()]);
    throw error;
  }
  const ended = Promise.all(end.map((statement) => client.query(statement)));
  await Promise.allSettled([ended, after()]);
  await ended;
  return result;
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
