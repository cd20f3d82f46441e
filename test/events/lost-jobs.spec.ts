import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { EventsHttpModule, JobQueue, queueNameOf } from '#libs/events';
import { WorkerModule } from '../../apps/worker/src/worker.module.js';
import { startFunctionsServer, type FunctionsServer } from '../functions/functions-server.js';
import { redisUrl } from '../support/environment.js';
import { eventually } from '../support/eventually.js';
import { telling, tellingPermissions, tellingTables } from './telling-function.js';

const count = 30;
const queueName = queueNameOf('local', 'many');
/** How long a lost job may take to be noticed: the workers look for them now and then. */
const noticedWithin = 45_000;

/** What Galley makes of jobs that its queue has lost. */
function lostJobs(
  backend: string,
  environment: Record<string, string>,
  loseJobs: (server: FunctionsServer) => Promise<void>,
): void {
  describe(`a parcel whose job is lost from the queue on ${backend}`, () => {
    let server: FunctionsServer;
    const sql = async <Row extends object>(text: string) =>
      (await server.platform.database.query<Row>(text)).rows;

    beforeAll(async () => {
      server = await startFunctionsServer([EventsHttpModule, WorkerModule], environment);
      await server.project.database.query(tellingTables);
      await server.deploy('many', telling('new Response()'), {
        permissions: tellingPermissions,
        on: [{ event: 'row.inserted', table: 'public.jobs' }],
      });
    });
    afterAll(() => server.close());

    it('has its deliveries each made once all the same', async () => {
      const queue = server.get(JobQueue);
      await sql(`update functions set events_paused_at = now()`);
      await server.project.database.query(
        `insert into public.jobs select n, 'c' from generate_series(1, ${count}) n`,
      );
      // 25 in one parcel, and what is left in another.
      await eventually(async () => (await queue.counts(queueName)).waiting === 2);
      const packed = await sql('select from deliveries where parcel_id is not null');
      expect(packed).toHaveLength(count);

      await loseJobs(server);
      expect(await queue.counts(queueName)).toEqual({ waiting: 0, active: 0, delayed: 0 });
      await sql(`update deliveries set created_at = now() - interval '1 minute'`);
      await sql(`update functions set events_paused_at = null`);

      await eventually(
        async () => (await sql(`select from deliveries where state = 'succeeded'`)).length === count,
        { within: noticedWithin },
      );
      const made = await sql<{ attempts: number; records: number }>(
        `select attempts, (select count(*)::integer from invocations i where i.delivery_id = d.id) as records from deliveries d`,
      );
      expect(made).toEqual(Array.from({ length: count }, () => ({ attempts: 1, records: 1 })));
      const { rows: told } = await server.project.database.query<{ id: number }>(
        'select id from public.told order by id',
      );
      expect(told.map(({ id }) => id)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    }, 90_000);
  });
}

lostJobs('PostgreSQL', {}, async (server) => {
  await server.platform.database.query('delete from bullmq.job where queue = $1', [queueName]);
});

if (redisUrl === undefined) {
  describe.skip('a parcel whose job is lost from the queue on Redis', () => {
    it('is tested where GALLEY_TEST_REDIS_URL names a Redis', () => {});
  });
} else {
  lostJobs('Redis', { REDIS_URL: redisUrl }, async ({ platform }) => {
    // The keys of this installation, which shares Redis with others.
    const { sealer, config } = platform;
    const installation = sealer.derive(`queues of ${config.postgres.platformDatabase}`, 8).toString('hex');
    const redis = new Redis(redisUrl!);
    const keys = await redis.keys(`galley-${installation}:${queueName}:*`);
    await redis.del(keys);
    redis.disconnect();
  });
}
