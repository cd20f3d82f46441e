import type pg from 'pg';
import { limits } from '../limits.js';
import type { Abandonment } from './abandonment.js';
import { withClient } from './transaction.js';

/**
 * Has PostgreSQL stop what `client` runs in its transaction once it is abandoned. It is asked by process, not by
 * statement: nobody else may have the connection before the function that is returned here has resolved.
 * @param system  connections that may cancel what others run
 * @param mayBegin  whether statements may be cancelled before an answer says that a transaction has begun: those
 *   behind a BEGIN that was cancelled would run outside of any
 * @returns asks for no more, and waits for what was asked
 */
export function cancelAbandoned(
  client: pg.PoolClient,
  system: pg.Pool,
  abandonment: Abandonment,
  { mayBegin }: { mayBegin: boolean },
): () => Promise<void> {
  let isOver = false;
  let asked: Promise<unknown> | undefined;
  let again: NodeJS.Timeout | undefined;
  const cancel = () => {
    if (!mayBegin && client.getTransactionStatus() !== 'T') return;
    client.connection.off('readyForQuery', cancel);
    const ask = async (other: pg.PoolClient) => {
      if (isOver) return;
      const { processID } = client as pg.PoolClient & { readonly processID: number };
      asked = other.query('select pg_cancel_backend($1)', [processID]);
      await asked;
      // A process that had not read the statement yet took no notice.
      if (!isOver) again = setTimeout(cancel, limits.cancelAgainMs);
    };
    withClient(system, ask).catch(() => {}); // It runs to its end then.
  };
  const onAbandoned = () => {
    client.connection.on('readyForQuery', cancel);
    cancel();
  };
  abandonment.on(onAbandoned);
  return async () => {
    isOver = true;
    clearTimeout(again);
    abandonment.off(onAbandoned);
    client.connection.off('readyForQuery', cancel);
    await asked?.catch(() => {});
  };
}
