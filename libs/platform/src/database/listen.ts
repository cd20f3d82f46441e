import pg from 'pg';
import { setTimeout as delay } from 'node:timers/promises';

const reconnectDelayMs = 250;

/**
 * Calls `onNotify` for each NOTIFY on `channel` until the returned function is called. Reconnects when the connection
 * breaks and then calls `onNotify('')` once, since notifications in between are lost.
 */
export async function listen(
  connection: pg.ClientConfig,
  channel: string,
  onNotify: (payload: string) => void,
): Promise<() => Promise<void>> {
  const abort = new AbortController();
  let client: pg.Client | undefined;

  async function connect(): Promise<void> {
    const next = new pg.Client(connection);
    next.on('notification', (message) => onNotify(message.payload ?? ''));
    next.on('error', () => {});
    next.on('end', () => {
      if (!abort.signal.aborted && client === next) void reconnect();
    });
    await next.connect();
    await next.query(`listen ${pg.escapeIdentifier(channel)}`);
    client = next;
  }

  async function reconnect(): Promise<void> {
    client = undefined;
    while (!abort.signal.aborted) {
      try {
        await connect();
        onNotify('');
        return;
      } catch {
        await delay(reconnectDelayMs);
      }
    }
  }

  await connect();
  return async () => {
    abort.abort();
    await client?.end();
  };
}
