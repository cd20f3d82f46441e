import type pg from 'pg';
import type { Abandonment } from './abandonment.js';
import { withClient } from './transaction.js';

/**
 * Has PostgreSQL stop what `client` runs in its transaction once it is abandoned. It is asked by process, not by
 * statement: nobody else may have the connection before the function that is returned here has resolved.
 * @param system  connections that may cancel what others run
 * @returns asks for no more, and waits for what was asked
 */
export function cancelAbandoned(
  client: pg.PoolClient,
  system: pg.Pool,
  abandonment: Abandonment,
): () => Promise<void> {
  let isOver = false;
  let asked: Promise<unknown> | undefined;
  const cancel = () => {
    // Without BEGIN the statements behind it would run outside of any transaction.
    if (client.getTransactionStatus() !== 'T') return;
    client.connection.off('readyForQuery', cancel);
    const ask = async (other: pg.PoolClient) => {
      if (isOver) return;
      const { processID } = client as pg.PoolClient & { readonly processID: number };
      asked = other.query('select pg_cancel_backend($1)', [processID]);
      await asked;
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
    abandonment.off(onAbandoned);
    client.connection.off('readyForQuery', cancel);
    await asked?.catch(() => {});
  };
}
