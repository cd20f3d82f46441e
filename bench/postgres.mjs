// A PostgreSQL that both Galley and a floor can reach.
import { randomBytes } from 'node:crypto';
import { chmodSync, rmSync } from 'node:fs';
import { createLogger, EmbeddedPostgres } from '#libs/platform';
import { newDataDir } from './galley-process.mjs';

export async function startPostgres() {
  const dataDir = newDataDir();
  chmodSync(dataDir, 0o711);
  const password = randomBytes(12).toString('hex');
  const logger = createLogger({ level: 'error', name: 'bench' });
  const postgres = await EmbeddedPostgres.start({ dataDir, password, logger });
  const { host, port, user } = postgres.connection;
  return {
    connection: { ...postgres.connection, database: 'postgres' },
    environment: {
      DATABASE_URL: `postgresql://${user}:${password}@localhost:${port}/postgres?host=${encodeURIComponent(host)}`,
      GALLEY_MASTER_KEY: randomBytes(32).toString('base64'),
    },
    async stop() {
      await postgres.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
