import { createPostgresBackend, runMigrations, type BackendFactory } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import { OperatorError } from '#libs/platform';
import type { BullBackend } from './bullmq-queue.js';

/** Connections for queue commands, beside one for each open consumer, which listens. */
const commandConnections = 6;
const redisConnectTimeoutMs = 5_000;

/**
 * BullMQ's PostgreSQL backend, in schema `bullmq` of `connection`'s database.
 * @param options.maxConsumers consumers that will be open at once: each holds a connection
 */
export async function postgresBackend(options: {
  connection: pg.ClientConfig;
  maxConsumers: number;
}): Promise<BullBackend> {
  const pool = new pg.Pool({
    ...options.connection,
    options: '-c search_path=bullmq',
    max: commandConnections + options.maxConsumers,
    idleTimeoutMillis: 10_000,
  });
  pool.on('error', () => {});
  // Each consumer adds a listener of its own.
  pool.setMaxListeners(options.maxConsumers * 4);
  const client = await pool.connect();
  try {
    await runMigrations(client);
  } finally {
    client.release();
  }
  return {
    connection: pool,
    prefix: undefined,
    factory: createPostgresBackend as unknown as BackendFactory,
    close: () => pool.end(),
  };
}

/**
 * @param prefix  begins all keys: installations that share a Redis must not take each other's jobs
 * @throws OperatorError when Redis does not answer.
 */
export async function redisBackend(url: string, prefix: string): Promise<BullBackend> {
  const redis = new Redis(url, {
    // BullMQ asks for this: a command waits for the connection instead of failing.
    maxRetriesPerRequest: null,
    connectTimeout: redisConnectTimeoutMs,
    lazyConnect: true,
  });
  redis.on('error', () => {});
  try {
    await redis.connect();
  } catch (cause) {
    redis.disconnect();
    throw new OperatorError(`Redis at REDIS_URL does not answer: ${(cause as Error).message}`, { cause });
  }
  return {
    connection: redis,
    prefix,
    factory: undefined,
    async close() {
      redis.disconnect();
    },
  };
}
