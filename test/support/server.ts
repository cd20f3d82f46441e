import type { Abstract } from '@nestjs/common';
import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { WebSocket } from 'undici';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createLogger, parseConfig, Platform, type Project, type ProjectKeys } from '#libs/platform';
import { startServer, type Feature } from '../../apps/server/src/server.js';
import { cloneDatabases } from './database.js';
import { testEnvironment } from './environment.js';

/** A server of one spec file's own, on databases cloned for it. */
export interface TestServer {
  /** Without a trailing slash. */
  readonly url: string;
  readonly platform: Platform;
  readonly project: Project;
  readonly keys: ProjectKeys;
  /** A new SDK client that keeps no session of others. */
  client(key?: string): SupabaseClient;
  /** What the server's modules provide under `token`. */
  get<T>(token: Abstract<T>): T;
  close(): Promise<void>;
}

/** A port that was free a moment ago: settings name the server's own address before it listens. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** @param options.environment settings beside the ones a test needs, by their environment names */
export async function startTestServer(options: {
  modules: readonly Feature[];
  environment?: Record<string, string>;
}): Promise<TestServer> {
  const { masterKey, dataDir } = testEnvironment;
  const databases = await cloneDatabases();
  const ownDataDir = await mkdtemp(join(dataDir, 'server-'));
  const config = parseConfig({
    DATABASE_URL: databases.projectUrl,
    GALLEY_PLATFORM_DB: databases.platformName,
    GALLEY_MASTER_KEY: masterKey,
    GALLEY_DATA_DIR: ownDataDir,
    PORT: String(await freePort()),
    LOG_LEVEL: 'error',
    ...options.environment,
  });
  const platform = await Platform.open(config, createLogger({ level: config.logLevel, name: 'test' }));
  const server = await startServer(platform, options.modules);
  const url = config.apiUrl;
  const { keys } = platform.projects.first;
  return {
    url,
    platform,
    project: platform.projects.first,
    keys,
    client: (key = keys.publishableKey) =>
      createClient(url, key, {
        auth: { persistSession: false, autoRefreshToken: false },
        // Node.js 20 has no WebSocket of its own, and the SDK will not start without one.
        realtime: { transport: WebSocket as never },
      }),
    get: (token) => server.app.get(token, { strict: false }),
    async close() {
      await server.close();
      await platform.close();
      await databases.drop();
      await rm(ownDataDir, { recursive: true, force: true });
    },
  };
}
