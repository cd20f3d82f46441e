import type pg from 'pg';

/**
 * What functions of a project may leave in a session beyond their transaction: settings, temporary tables, cursors, numbers
 * last drawn from sequences, locks, LISTEN. Not DISCARD ALL, which would forget prepared statements, too.
 */
const text =
  'reset role; reset all; close all; discard temp; discard sequences; unlisten *; select pg_advisory_unlock_all()';

/**
 * Makes the session as it was at login, for the next caller. To be sent right after a transaction's end, so that it
 * travels with it.
 * @param drop  is called when that could not be done
 */
export async function forgetSession(client: pg.PoolClient, drop: () => void): Promise<void> {
  await client.query(text).catch(drop);
}

/**
 * Somebody's DEALLOCATE took our statements away, so that the connection is of no more use. An error that was raised inside a
 * function says where; of one request among several it is the cause.
 */
export function isForgottenStatement(error: unknown): boolean {
  const { code, where, cause } = (error ?? {}) as { code?: unknown; where?: unknown; cause?: unknown };
  return (code === '26000' && where === undefined) || (cause !== undefined && isForgottenStatement(cause));
}
