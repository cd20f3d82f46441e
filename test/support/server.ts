import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { mkdtemp, rm } from 'node:fs/promises';
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
  close(): Promise<void>;
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
    PORT: '0',
    LOG_LEVEL: 'error',
    ...options.environment,
  });
  const platform = await Platform.open(config, createLogger({ level: config.logLevel, name: 'test' }));
  const server = await startServer(platform, options.modules);
  const url = `http://127.0.0.1:${server.port}`;
  const { keys } = platform.projects.first;
  return {
    url,
    platform,
    project: platform.projects.first,
    keys,
    client: (key = keys.publishableKey) =>
      createClient(url, key, { auth: { persistSession: false, autoRefreshToken: false } }),
    async close() {
      await server.close();
      await platform.close();
      await databases.drop();
      await rm(ownDataDir, { recursive: true, force: true });
    },
  };
}
