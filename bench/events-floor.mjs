// The floor of events: bare BullMQ on the same backend, jobs added and processed by a handler that does nothing.
import { Queue, Worker } from 'bullmq';
import { postgresBackend, redisBackend } from '#libs/events';

const { redisUrl, connection, jobs, rounds, concurrency } = JSON.parse(process.argv[2]);
const backend = redisUrl
  ? await redisBackend(redisUrl, 'galley-bench-floor')
  : await postgresBackend({ connection, maxConsumers: 1 });
const options = { connection: backend.connection, ...(backend.prefix && { prefix: backend.prefix }) };
const ended = { removeOnComplete: true, removeOnFail: true };
const queue = new Queue('floor', options, backend.factory);
let left = 0;
let onDone;
const worker = new Worker(
  'floor',
  async () => --left === 0 && onDone(),
  { ...options, concurrency },
  backend.factory,
);
await worker.waitUntilReady();

async function round() {
  left = jobs;
  const all = new Promise((resolve) => (onDone = resolve));
  const startedAt = performance.now();
  // As many at a time as the relay takes from the outbox.
  for (let i = 0; i < jobs; i += 100) {
    await queue.addBulk(
      Array.from({ length: Math.min(100, jobs - i) }, (_, n) => ({
        name: 'job',
        data: { n: i + n },
        opts: ended,
      })),
    );
  }
  await all;
  return (performance.now() - startedAt) / 1000;
}

const seconds = [];
for (let i = 0; i < rounds; i++) seconds.push(await round());
process.send(Math.min(...seconds));
await worker.close();
await queue.close();
await backend.close();
process.exit(0);
