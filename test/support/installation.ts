import pg from 'pg';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createLogger, EmbeddedPostgres, Sealer } from '#libs/platform';
import { redisUrl, s3, testEnvironment } from './environment.js';
import { startProcess, type GalleyProcess, type Program } from './galley-process.js';
import type { OwnRedis } from './own-redis.js';
import { freePort } from './server.js';
import { avatarsProject } from './story.js';

/** What can be killed. In the embedded size `server` and `worker` are one process. */
export type Victim = 'server' | 'worker' | 'function' | 'postgres' | 'redis';

/** An installation whose parts can be killed and started again. */
export interface Installation {
  readonly url: string;
  readonly publishableKey: string;
  readonly secretKey: string;
  /** kill -9. Returns false when there is no such process at the moment. */
  kill(victim: Victim): Promise<boolean>;
  /** Starts again what was killed and does not start by itself. */
  revive(): Promise<void>;
  query<Row extends object>(
    database: 'platform' | 'project',
    text: string,
    values?: unknown[],
  ): Promise<Row[]>;
  logs(): string;
  stop(): Promise<void>;
}

interface Part {
  readonly program: Program;
  readonly args: readonly string[];
  readonly port: number;
  readonly environment: Record<string, string>;
  process: GalleyProcess;
}

const keys = () => ({
  SUPABASE_PUBLISHABLE_KEY: `sb_publishable_${randomBytes(12).toString('hex')}`,
  SUPABASE_SECRET_KEY: `sb_secret_${randomBytes(12).toString('hex')}`,
  GALLEY_MASTER_KEY: randomBytes(32).toString('base64'),
});

async function startPart(
  program: Program,
  args: readonly string[],
  environment: Record<string, string>,
): Promise<Part> {
  const port = await freePort();
  return {
    program,
    args,
    port,
    environment,
    process: await startProcess({ program, args, port, environment }),
  };
}

/** One process, which starts PostgreSQL itself. */
export async function installEmbedded(project = avatarsProject): Promise<Installation> {
  const dataDir = await mkdtemp(join(testEnvironment.dataDir, 'kill-'));
  const environment = { ...keys(), GALLEY_DATA_DIR: dataDir };
  const galley = await startPart('cli', ['start', project], environment);
  const password = new Sealer(Buffer.from(environment.GALLEY_MASTER_KEY, 'base64'))
    .derive('embedded postgres', 24)
    .toString('base64url');
  const connection = { host: join(dataDir, 'sockets'), port: 5432, user: 'postgres', password };
  return installation(
    [galley],
    { server: galley, worker: galley, redis: null },
    dataDir,
    connection,
    environment,
    async () => {
      await rm(dataDir, { recursive: true, force: true });
    },
  );
}

/**
 * A server and a worker on a PostgreSQL of this test's own and MinIO.
 * @param redis one of the test's own, to be killed as well; else the run's
 */
export async function installOutgrown(
  project = avatarsProject,
  redis: OwnRedis | null = null,
): Promise<Installation> {
  const dataDir = await mkdtemp(join(testEnvironment.dataDir, 'kill-'));
  const password = randomBytes(12).toString('hex');
  const logger = createLogger({ level: 'fatal', name: 'test' });
  const postgres = await EmbeddedPostgres.start({ dataDir, password, logger });
  const { host } = postgres.connection;
  const environment = {
    ...keys(),
    GALLEY_DATA_DIR: dataDir,
    DATABASE_URL: `postgresql://postgres:${password}@localhost/postgres?host=${encodeURIComponent(host)}`,
    REDIS_URL: redis?.url ?? redisUrl!,
    S3_ENDPOINT: s3!.endpoint,
    S3_ACCESS_KEY_ID: s3!.accessKeyId,
    S3_SECRET_ACCESS_KEY: s3!.secretAccessKey,
    S3_BUCKET: `galley-${randomBytes(6).toString('hex')}`,
  };
  const server = await startPart('server', [project], environment);
  const own = {
    ...environment,
    GALLEY_INTERNAL_URL: server.process.url,
    API_EXTERNAL_URL: server.process.url,
  };
  const worker = await startPart('worker', [], own);
  return installation(
    [server, worker],
    { server, worker, redis },
    dataDir,
    postgres.connection,
    environment,
    async () => {
      await redis?.stop();
      await postgres.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  );
}

function installation(
  parts: readonly Part[],
  roles: Record<'server' | 'worker', Part> & { readonly redis: OwnRedis | null },
  dataDir: string,
  connection: pg.ClientConfig,
  environment: { SUPABASE_PUBLISHABLE_KEY: string; SUPABASE_SECRET_KEY: string },
  cleanUp: () => Promise<void>,
): Installation {
  const dead = new Set<Part>();
  return {
    url: roles.server.process.url,
    publishableKey: environment.SUPABASE_PUBLISHABLE_KEY,
    secretKey: environment.SUPABASE_SECRET_KEY,
    async kill(victim) {
      if (victim === 'postgres') return killPostgres(dataDir);
      if (victim === 'redis') return roles.redis!.kill();
      if (victim === 'function') return killFunctions(parts.map((part) => part.process.pid));
      const part = roles[victim];
      await part.process.end('SIGKILL');
      dead.add(part);
      return true;
    },
    async revive() {
      await roles.redis?.revive();
      for (const part of dead) part.process = await startProcess(part);
      dead.clear();
    },
    async query<Row extends object>(database: 'platform' | 'project', text: string, values: unknown[] = []) {
      const name = database === 'platform' ? 'galley' : 'postgres';
      const client = new pg.Client({ ...connection, database: name });
      client.on('error', () => {});
      await client.connect();
      try {
        return (await client.query<Row>(text, values)).rows;
      } finally {
        await client.end();
      }
    },
    logs: () => parts.map((part) => part.process.output()).join('\n'),
    async stop() {
      await Promise.all(parts.map((part) => part.process.end('SIGTERM')));
      await cleanUp();
    },
  };
}

function killPostgres(dataDir: string): boolean {
  const pid = Number(readFileSync(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0]);
  process.kill(pid, 'SIGKILL');
  return true;
}

function killFunctions(parents: readonly number[]): boolean {
  const functions = childrenOf(parents).filter((pid) => isDeno(pid));
  for (const pid of functions) process.kill(pid, 'SIGKILL');
  return functions.length > 0;
}

function childrenOf(parents: readonly number[]): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        return parents.includes(Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
      } catch {
        return false;
      }
    })
    .map(Number);
}

function isDeno(pid: number): boolean {
  try {
    return /\bdeno\b/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
  } catch {
    return false;
  }
}
