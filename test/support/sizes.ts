import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cloneDatabases } from './database.js';
import { redisUrl, s3, testEnvironment } from './environment.js';
import { startProcess, type GalleyProcess } from './galley-process.js';
import { avatarsProject } from './story.js';

/** Galley with the example project, as processes, in one of its two sizes. */
export interface RunningGalley {
  /** Front doors; clients may use any. */
  readonly urls: readonly string[];
  readonly processes: readonly GalleyProcess[];
  readonly publishableKey: string;
  readonly secretKey: string;
  stop(): Promise<void>;
}

const keys = () => ({
  publishableKey: `sb_publishable_${randomBytes(12).toString('hex')}`,
  secretKey: `sb_secret_${randomBytes(12).toString('hex')}`,
});

/** One process with all defaults: its own PostgreSQL, queues in it, bytes in files. */
export async function startEmbedded(environment: Record<string, string> = {}): Promise<RunningGalley> {
  const dataDir = await mkdtemp(join(testEnvironment.dataDir, 'embedded-'));
  const { publishableKey, secretKey } = keys();
  const galley = await startProcess({
    program: 'cli',
    args: ['start', avatarsProject],
    environment: {
      GALLEY_DATA_DIR: dataDir,
      SUPABASE_PUBLISHABLE_KEY: publishableKey,
      SUPABASE_SECRET_KEY: secretKey,
      LOG_LEVEL: 'debug',
      ...environment,
    },
  });
  return {
    urls: [galley.url],
    processes: [galley],
    publishableKey,
    secretKey,
    async stop() {
      await galley.end('SIGTERM');
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Whether the services of the outgrown size are there to be tested against. */
export const outgrownIsReachable = redisUrl !== undefined && s3 !== undefined;

/** What servers and workers of one installation share. */
async function outgrownEnvironment(): Promise<{
  environment: Record<string, string>;
  drop(): Promise<void>;
}> {
  const databases = await cloneDatabases();
  const dataDir = await mkdtemp(join(testEnvironment.dataDir, 'outgrown-'));
  const { publishableKey, secretKey } = keys();
  const environment = {
    DATABASE_URL: databases.projectUrl,
    GALLEY_PLATFORM_DB: databases.platformName,
    GALLEY_MASTER_KEY: testEnvironment.masterKey,
    GALLEY_DATA_DIR: dataDir,
    SUPABASE_PUBLISHABLE_KEY: publishableKey,
    SUPABASE_SECRET_KEY: secretKey,
    REDIS_URL: redisUrl!,
    S3_ENDPOINT: s3!.endpoint,
    S3_ACCESS_KEY_ID: s3!.accessKeyId,
    S3_SECRET_ACCESS_KEY: s3!.secretAccessKey,
    S3_BUCKET: `galley-${randomBytes(6).toString('hex')}`,
    LOG_LEVEL: 'debug',
  };
  return {
    environment,
    async drop() {
      await databases.drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Two servers and two workers on one PostgreSQL, one Redis and one MinIO. */
export async function startOutgrown(): Promise<RunningGalley> {
  const { environment, drop } = await outgrownEnvironment();
  const servers = [
    await startProcess({ program: 'server', args: [avatarsProject], environment }),
    await startProcess({ program: 'server', environment }),
  ];
  const own = { ...environment, GALLEY_INTERNAL_URL: servers[1]!.url, API_EXTERNAL_URL: servers[0]!.url };
  const workers = await Promise.all([
    startProcess({ program: 'worker', environment: own }),
    startProcess({ program: 'worker', environment: own }),
  ]);
  const processes = [...servers, ...workers];
  return {
    urls: servers.map((server) => server.url),
    processes,
    publishableKey: environment['SUPABASE_PUBLISHABLE_KEY']!,
    secretKey: environment['SUPABASE_SECRET_KEY']!,
    async stop() {
      await Promise.all(processes.map((one) => one.end('SIGTERM')));
      await drop();
    },
  };
}
