import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { EventsHttpModule, sweepDeliveries } from '#libs/events';
import { sweepInvocations } from '#libs/usage';
import { startTestServer, type TestServer } from '../support/server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ modules: [EventsHttpModule] });
});
afterAll(() => server.close());

it('deliveries are kept for their time after their end, and open ones for as long as they are', async () => {
  const { database } = server.platform;
  await database.query(
    `insert into deliveries (id, project_ref, subscription_id, function_slug, event_id, event_name, payload, request_id,
                             depth, occurred_at, created_at, state, finished_at)
     select gen_random_uuid(), 'local', gen_random_uuid(), state || days, gen_random_uuid(), 'user.created', '{}', '', 0,
            now(), now() - interval '90 days', state,
            case when state in ('queued', 'running') then null else now() - make_interval(days => days) end
     from unnest(array['queued', 'running', 'succeeded', 'dead', 'cancelled']) as s (state), unnest(array[1, 31]) as d (days)`,
  );
  expect(await sweepDeliveries(database, 'local', 30)).toBe(3);
  expect(await sweepDeliveries(database, 'local', 30)).toBe(0);
  const { rows } = await database.query<{ slug: string }>(
    'select function_slug as slug from deliveries order by 1',
  );
  expect(rows.map(({ slug }) => slug)).toEqual([
    'cancelled1',
    'dead1',
    'queued1',
    'queued31',
    'running1',
    'running31',
    'succeeded1',
  ]);
});

it('records of invocations are kept for their time', async () => {
  const { database } = server.platform;
  await database.query(
    `insert into invocations (id, project_ref, function_slug, deployment_id, trigger, attempt, request_id, start, status,
                              started_at, wall_ms, cpu_ms, peak_memory_bytes, memory_bytes, gb_ms)
     select gen_random_uuid(), 'local', 'f', gen_random_uuid(), 'http', 1, '', 'warm', 'succeeded',
            now() - make_interval(days => days), 1, 1, 1, 1, 1 from generate_series(1, 7000) n, unnest(array[10, 500]) as d (days)`,
  );
  expect(await sweepInvocations(database, 'local', 400)).toBe(7000);
  expect((await database.query('select from invocations')).rowCount).toBe(7000);
});
