import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { BullMqQueue, postgresBackend, queueNameOf, type JobQueue } from '#libs/events';
import { createLogger } from '#libs/platform';
import { Autoscaler } from '../../apps/worker/src/autoscaler.js';
import { cloneDatabases, type TestDatabases } from '../support/database.js';

const logger = createLogger({ level: 'fatal', name: 'test' });
let databases: TestDatabases;
let queue: JobQueue;

beforeAll(async () => {
  databases = await cloneDatabases();
  const connection = { connectionString: databases.projectUrl };
  queue = new BullMqQueue(await postgresBackend({ connection, maxConsumers: 2 }), logger);
});
afterAll(async () => {
  await queue.close();
  await databases.drop();
});

const busy = { projectRef: 'local', functionSlug: 'busy', oldestAgeMs: 0 };

it('scales a function by what waits in its queue, remembers how long its runs take, and forgets it at rest', async () => {
  const capacity = { maxInstances: 8, concurrency: 2 };
  const autoscaler = new Autoscaler(queue, async () => capacity, logger);
  await queue.add(
    queueNameOf('local', 'busy'),
    Array.from({ length: 70 }, (_, n) => ({ id: `job-${n}`, data: {} })),
  );
  // Until a run has ended it is taken to last a second: 7 jobs of two at a time are 5 s of an instance at 70 %.
  expect(await autoscaler.jobsAtOnce(busy)).toEqual({ now: 8, held: 16, ahead: 0 });
  expect(await autoscaler.jobsAtOnce(busy)).toEqual({ now: 16, held: 16, ahead: 0 });
  expect(autoscaler.functions).toMatchObject([
    { functionSlug: 'busy', backlog: 70, active: 0, decision: { instances: 8, wanted: { now: 10 } } },
  ]);
  autoscaler.rest('local', 'busy');
  expect(autoscaler.functions).toEqual([]);
  autoscaler.noteRun('local', 'busy', 50);
  // 140 jobs of 50 ms.
  expect(await autoscaler.jobsAtOnce(busy)).toEqual({ now: 2, held: 10, ahead: 1 });
});

it('gives one job at a time to a function of which the queue shows nothing yet', async () => {
  const autoscaler = new Autoscaler(queue, async () => ({ maxInstances: 4, concurrency: 1 }), logger);
  expect(await autoscaler.jobsAtOnce({ ...busy, functionSlug: 'fresh' })).toEqual({
    now: 1,
    held: 4,
    ahead: 0,
  });
});

it('forgets how long runs take of functions that have rested longest, once those are many', async () => {
  const capacity = { maxInstances: 8, concurrency: 1 };
  const autoscaler = new Autoscaler(queue, async () => capacity, logger);
  const name = (n: number) => ({ ...busy, functionSlug: `many-${n}` });
  const rests = async (n: number) => {
    autoscaler.noteRun('local', name(n).functionSlug, 50);
    await autoscaler.jobsAtOnce(name(n));
    autoscaler.rest('local', name(n).functionSlug);
  };
  for (let n = 0; n <= 1_000; n++) await rests(n);
  const backlog = Array.from({ length: 70 }, (_, n) => ({ id: `job-${n}`, data: {} }));
  for (const n of [0, 1_000]) await queue.add(queueNameOf('local', name(n).functionSlug), backlog);
  // Not known any more to last less than a second.
  expect(await autoscaler.jobsAtOnce(name(0))).toMatchObject({ now: 4 });
  expect(await autoscaler.jobsAtOnce(name(1_000))).toMatchObject({ now: 1 });
});
