// Starts one PostgreSQL for the run and makes in it the two databases that every spec file clones. Jest loads this
// without its transforms, so it uses the build that `npm test` makes first.
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, EmbeddedPostgres, parseConfig, Platform } from '#libs/platform';

export default async function globalSetup() {
  const dataDir = await mkdtemp(join(tmpdir(), 'galley-test-'));
  await chmod(dataDir, 0o711);
  const logger = createLogger({ level: 'error', name: 'test' });
  const password = randomBytes(12).toString('hex');
  const postgres = await EmbeddedPostgres.start({ dataDir, password, logger, maxConnections: 300 });
  const { host, port, user } = postgres.connection;
  const databaseUrl = `postgresql://${user}:${password}@localhost:${port}/postgres?host=${encodeURIComponent(host)}`;
  const masterKey = randomBytes(32).toString('base64');
  const config = parseConfig({
    DATABASE_URL: databaseUrl,
    GALLEY_MASTER_KEY: masterKey,
    GALLEY_PLATFORM_DB: 'template_platform',
    GALLEY_DATA_DIR: dataDir,
    LOG_LEVEL: 'error',
  });
  await (await Platform.open(config, logger)).close();
  // Read by test/support/environment.ts.
  process.env.GALLEY_TEST_ENVIRONMENT = JSON.stringify({ dataDir, databaseUrl, masterKey });
  globalThis.stopTestPostgres = () => postgres.stop();
}
