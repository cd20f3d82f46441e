import { afterAll, beforeAll, expect, it } from '@jest/globals';
import pino from 'pino';
import { BullMqQueue, postgresBackend } from '#libs/events';
import pg from 'pg';
import { cloneDatabases, type TestDatabases } from '../support/database.js';
import { eventually } from '../support/eventually.js';

let databases: TestDatabases;
let queue: BullMqQueue;
let client: pg.Client;
const toldAt: number[] = [];

beforeAll(async () => {
  databases = await cloneDatabases();
  const connection = { connectionString: databases.projectUrl };
  const logger = pino({ level: 'warn' }, { write: () => void toldAt.push(performance.now()) });
  queue = new BullMqQueue(await postgresBackend({ connection, maxConsumers: 4 }), logger);
  client = new pg.Client(connection);
  await client.connect();
});
afterAll(async () => {
  await queue.close();
  await client.end();
  await databases.drop();
});

it('a database that answers each question with an error is asked, and complained of, ever more seldom', async () => {
  const begun: string[] = [];
  let end = () => {};
  const ending = new Promise<void>((resolve) => (end = resolve));
  const consumer = await queue.consume('outage', { concurrency: 1 }, async ({ id }) => {
    begun.push(id);
    if (begun.length === 1) await ending;
  });
  const ids = ['one', 'two', 'three'];
  await queue.add(
    'outage',
    ids.map((id) => ({ id, data: {} })),
  );
  await eventually(() => begun.length === 1);

  // Who knows of more work asks for it at once.
  await client.query('alter schema bullmq rename to gone');
  end();
  const lines = 12;
  await eventually(() => toldAt.length >= lines, { within: 60_000 });
  // The looks for lost jobs are among them, every 2 s.
  expect(toldAt[lines - 1]! - toldAt[0]!).toBeGreaterThan(3_000);

  await client.query('alter schema gone rename to bullmq');
  // The first could not be said to have ended, and comes again.
  await eventually(() => ids.every((id) => begun.lastIndexOf(id) > 0), { within: 30_000 });
  await consumer.close();
}, 120_000);
