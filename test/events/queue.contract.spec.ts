import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { createLogger } from '#libs/platform';
import {
  BullMqQueue,
  HoldQueue,
  postgresBackend,
  redisBackend,
  RetryLater,
  type Job,
  type JobQueue,
} from '#libs/events';
import { cloneDatabases, type TestDatabases } from '../support/database.js';
import { redisUrl } from '../support/environment.js';
import { eventually } from '../support/eventually.js';

const logger = createLogger({ level: 'fatal', name: 'test' });
const uniqueName = () => `fn-test-${randomUUID()}`;

/** What every adapter of the queue port must do. */
function queueContract(
  adapter: string,
  open: () => Promise<{ queue: JobQueue; close(): Promise<void> }>,
): void {
  describe(`a queue on ${adapter}`, () => {
    let queue: JobQueue;
    let close: () => Promise<void>;
    beforeAll(async () => {
      ({ queue, close } = await open());
    });
    afterAll(() => close());

    it('hands each job with its data to a consumer once', async () => {
      const name = uniqueName();
      await queue.add(name, [
        { id: 'job-a', data: { n: 1 } },
        { id: 'job-b', data: { n: 2 } },
      ]);
      const seen: Job[] = [];
      const consumer = await queue.consume(name, { concurrency: 1 }, async (job) => void seen.push(job));
      await eventually(async () => {
        const { waiting, active } = await queue.counts(name);
        return waiting + active === 0;
      });
      await consumer.close();
      expect(seen.map((job) => [job.id, job.data, job.failures])).toEqual([
        ['job-a', { n: 1 }, 0],
        ['job-b', { n: 2 }, 0],
      ]);
    });

    it('runs as many jobs at once as it was told last', async () => {
      const name = uniqueName();
      const ends: (() => void)[] = [];
      const consumer = await queue.consume(name, { concurrency: 1, held: 4 }, ({ turns }) =>
        turns.run(() => new Promise<void>((end) => ends.push(end))),
      );
      await queue.add(
        name,
        Array.from({ length: 6 }, (_, n) => ({ id: `job-${n}`, data: {} })),
      );
      await eventually(() => ends.length === 1);
      consumer.setConcurrency(3);
      await eventually(() => ends.length === 3);
      consumer.setConcurrency(1);
      for (const end of ends.splice(0)) end();
      await eventually(() => ends.length === 1);
      consumer.setConcurrency(2);
      await eventually(async () => {
        for (const end of ends.splice(0)) end();
        const { waiting, active } = await queue.counts(name);
        return waiting + active === 0;
      });
      await consumer.close();
    });

    it('keeps one job when the same id is added twice, and forgets it when it has ended', async () => {
      const name = uniqueName();
      let runs = 0;
      await queue.add(name, [{ id: 'same', data: {} }]);
      await queue.add(name, [{ id: 'same', data: {} }]);
      expect((await queue.counts(name)).waiting).toBe(1);
      expect(await queue.has(name, 'same')).toBe(true);
      const consumer = await queue.consume(name, { concurrency: 2 }, async () => void runs++);
      await eventually(() => runs === 1);
      await eventually(async () => !(await queue.has(name, 'same')));
      await queue.add(name, [{ id: 'same', data: {} }]);
      await eventually(() => runs === 2);
      await consumer.close();
      expect(runs).toBe(2);
    });

    it('tries a job that is added for later when its time has come', async () => {
      const name = uniqueName();
      const addedAt = Date.now();
      let begunAt = 0;
      await queue.add(name, [{ id: 'later', data: {}, delayMs: 500 }]);
      expect((await queue.counts(name)).delayed).toBe(1);
      expect(await queue.has(name, 'later')).toBe(true);
      const consumer = await queue.consume(name, { concurrency: 1 }, async () => void (begunAt = Date.now()));
      await eventually(() => begunAt > 0);
      await consumer.close();
      expect(begunAt - addedAt).toBeGreaterThanOrEqual(490);
    });

    it('adds an ended job again when it is ensured, and leaves a waiting one alone', async () => {
      const name = uniqueName();
      let runs = 0;
      await queue.ensure(name, { id: 'again', data: {} });
      await queue.ensure(name, { id: 'again', data: {} });
      expect((await queue.counts(name)).waiting).toBe(1);
      const consumer = await queue.consume(name, { concurrency: 1 }, async () => void runs++);
      await eventually(() => runs === 1);
      await eventually(async () => (await queue.counts(name)).active === 0);
      await queue.ensure(name, { id: 'again', data: {} });
      await eventually(() => runs === 2);
      await consumer.close();
    });

    it('runs at most as many jobs at once as the consumer allows', async () => {
      const name = uniqueName();
      let active = 0;
      let most = 0;
      let done = 0;
      await queue.add(
        name,
        Array.from({ length: 12 }, (_, i) => ({ id: `job-${i}`, data: {} })),
      );
      const consumer = await queue.consume(name, { concurrency: 3 }, async () => {
        most = Math.max(most, ++active);
        await new Promise((resolve) => setImmediate(resolve));
        active--;
        done++;
      });
      await eventually(() => done === 12);
      await consumer.close();
      expect(most).toBeLessThanOrEqual(3);
    });

    it('tries a failed job again and counts its failures', async () => {
      const name = uniqueName();
      const failures: number[] = [];
      await queue.add(name, [{ id: 'flaky', data: {} }]);
      const consumer = await queue.consume(name, { concurrency: 1 }, async (job) => {
        failures.push(job.failures);
        if (job.failures < 2) throw new RetryLater('not yet', 20);
      });
      await eventually(() => failures.length === 3);
      await consumer.close();
      expect(failures).toEqual([0, 1, 2]);
    });

    it('does not count a try that was put off', async () => {
      const name = uniqueName();
      const failures: number[] = [];
      await queue.add(name, [{ id: 'busy', data: {} }]);
      const consumer = await queue.consume(name, { concurrency: 1 }, async (job) => {
        failures.push(job.failures);
        if (failures.length === 1) throw new RetryLater('no instance is free', 20, true);
      });
      await eventually(() => failures.length === 2);
      await consumer.close();
      expect(failures).toEqual([0, 0]);
    });

    it('tries a job at once that waits for later, when it is hastened, and adds one that is not there', async () => {
      const name = uniqueName();
      const tried: string[] = [];
      await queue.add(name, [{ id: 'later', data: {} }]);
      const consumer = await queue.consume(name, { concurrency: 1 }, async (job) => {
        tried.push(job.id);
        if (tried.length === 1) throw new RetryLater('not yet', 3_600_000, true);
      });
      await eventually(async () => (await queue.counts(name)).delayed === 1);
      await queue.hasten(name, { id: 'later', data: {} });
      await queue.hasten(name, { id: 'new', data: {} });
      await eventually(() => tried.length === 3);
      await consumer.close();
      expect(tried.toSorted()).toEqual(['later', 'later', 'new']);
    });

    it('tries a job once more that is reopened while it ends', async () => {
      const name = uniqueName();
      const tried: string[] = [];
      let end = () => {};
      const ending = new Promise<void>((resolve) => (end = resolve));
      await queue.add(name, [{ id: 'again', data: {} }]);
      const consumer = await queue.consume(name, { concurrency: 1 }, async (job) => {
        tried.push(job.id);
        if (tried.length === 1) await ending;
      });
      await eventually(() => tried.length === 1);
      const reopened = queue.reopen(name, { id: 'again', data: {} });
      end();
      await reopened;
      await eventually(() => tried.length === 2);
      await consumer.close();
      expect(tried).toEqual(['again', 'again']);
    });

    it('begins nothing for a while when a handler asks for that, and then goes on with the same job', async () => {
      const name = uniqueName();
      const begun: { id: string; at: number; failures: number }[] = [];
      await queue.add(name, [
        { id: 'one', data: {} },
        { id: 'two', data: {} },
        { id: 'three', data: {} },
      ]);
      const consumer = await queue.consume(name, { concurrency: 1 }, async ({ id, failures }) => {
        begun.push({ id, at: performance.now(), failures });
        if (begun.length === 1) throw new HoldQueue(500);
      });
      await eventually(() => begun.length === 4);
      await consumer.close();
      expect(begun[1]!.at - begun[0]!.at).toBeGreaterThan(450);
      expect(new Set(begun.map(({ id }) => id)).size).toBe(3);
      expect(begun.every(({ failures }) => failures === 0)).toBe(true);
    });

    it('lets a job that is under way end before its consumer is closed', async () => {
      const name = uniqueName();
      let release = () => {};
      const held = new Promise<void>((resolve) => (release = resolve));
      let ended = false;
      await queue.add(name, [{ id: 'long', data: {} }]);
      let started = false;
      const consumer = await queue.consume(name, { concurrency: 1 }, async () => {
        started = true;
        await held;
        ended = true;
      });
      await eventually(() => started);
      const closing = consumer.close();
      release();
      await closing;
      expect(ended).toBe(true);
      expect(await queue.counts(name)).toEqual({ waiting: 0, active: 0, delayed: 0 });
    });

    it('cuts off a job that outlasts the grace, and keeps it for the next consumer', async () => {
      const name = uniqueName();
      await queue.add(name, [{ id: 'endless', data: {} }]);
      let started = false;
      const consumer = await queue.consume(name, { concurrency: 1 }, async (job) => {
        started = true;
        await new Promise((resolve) => job.signal.addEventListener('abort', resolve));
        throw new RetryLater('cut off', 0, true);
      });
      await eventually(() => started);
      await consumer.close(20);
      let again = false;
      const next = await queue.consume(name, { concurrency: 1 }, async () => void (again = true));
      await eventually(() => again);
      await next.close();
    });

    it('shares the jobs of one queue between two consumers without giving one job to both', async () => {
      const name = uniqueName();
      const seen: string[] = [];
      const handle = async (job: Job) => void seen.push(job.id);
      const consumers = [
        await queue.consume(name, { concurrency: 2 }, handle),
        await queue.consume(name, { concurrency: 2 }, handle),
      ];
      const ids = Array.from({ length: 50 }, (_, i) => `job-${i}`);
      await queue.add(
        name,
        ids.map((id) => ({ id, data: {} })),
      );
      await eventually(() => seen.length >= 50);
      await Promise.all(consumers.map((consumer) => consumer.close()));
      expect([...seen].toSorted()).toEqual([...ids].toSorted());
    });

    it('forgets everything of an obliterated queue', async () => {
      const name = uniqueName();
      await queue.add(name, [{ id: 'gone', data: {} }]);
      await queue.obliterate(name);
      expect(await queue.counts(name)).toEqual({ waiting: 0, active: 0, delayed: 0 });
    });
  });
}

queueContract('PostgreSQL', async () => {
  const databases: TestDatabases = await cloneDatabases();
  const connection = { connectionString: databases.projectUrl };
  const queue = new BullMqQueue(await postgresBackend({ connection, maxConsumers: 8 }), logger);
  return {
    queue,
    async close() {
      await queue.close();
      await databases.drop();
    },
  };
});

if (redisUrl === undefined) {
  describe.skip('a queue on Redis', () => {
    it('is tested where GALLEY_TEST_REDIS_URL names a Redis', () => {});
  });
} else {
  queueContract('Redis', async () => {
    const queue = new BullMqQueue(await redisBackend(redisUrl!, 'galley-contract'), logger);
    return { queue, close: () => queue.close() };
  });
}
