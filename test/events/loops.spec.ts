import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { EventsHttpModule } from '#libs/events';
import { limits } from '#libs/platform';
import { WorkerModule } from '../../apps/worker/src/worker.module.js';
import { startFunctionsServer, type FunctionsServer } from '../functions/functions-server.js';
import { eventually } from '../support/eventually.js';

let server: FunctionsServer;

/** Answers each row with another one. */
const multiplying = `
Deno.serve(async (request) => {
  const { record } = await request.json();
  const answer = await fetch(Deno.env.get('SUPABASE_URL') + '/rest/v1/rabbits', {
    method: 'POST', body: JSON.stringify({ parent: record.id }),
    headers: { authorization: request.headers.get('authorization'), 'content-type': 'application/json' } });
  return new Response(await answer.text(), { status: answer.ok ? 200 : 500 });
});`;
interface Row {
  depth: number;
  state: string;
  last_error: string | null;
  request_id: string;
  root_id: string;
}
const deliveries = async () =>
  (await server.platform.database.query<Row>('select * from deliveries order by depth, sequence')).rows;
const begin = (requestId: string) =>
  fetch(`${server.url}/rest/v1/rabbits`, {
    method: 'POST',
    body: '{}',
    headers: {
      apikey: server.keys.secretKey,
      'content-type': 'application/json',
      'x-request-id': requestId,
    },
  });

beforeAll(async () => {
  server = await startFunctionsServer([EventsHttpModule, WorkerModule]);
  await server.project.database.query(
    'create table public.rabbits (id serial, parent integer); notify galley_schema;',
  );
  await server.deploy('rabbit', multiplying, {
    permissions: { tables: { 'public.rabbits': ['insert'] } },
    on: [{ event: 'row.inserted', table: 'public.rabbits' }],
  });
});
beforeEach(() => server.platform.database.query('delete from deliveries'));
afterAll(() => server.close());

it('a function that wakes itself is stopped when it has gone too deep, and told how it went', async () => {
  await begin('first-cause');
  const dead = await eventually(async () => (await deliveries()).find(({ state }) => state === 'dead'));
  expect(dead.depth).toBe(limits.eventDepth + 1);
  expect(dead.last_error).toContain('row.inserted → rabbit → row.inserted → rabbit → ');
  const all = await deliveries();
  expect(all).toHaveLength(limits.eventDepth + 2);
  expect(new Set(all.map(({ root_id: root }) => root))).toEqual(new Set(['first-cause']));
  expect(new Set(all.map(({ request_id: request }) => request)).size).toBeGreaterThan(1);
}, 60_000);

it('what one request led to is stopped when it has become too much, whatever its depth', async () => {
  await server.platform.database.query(
    `insert into deliveries (id, project_ref, subscription_id, function_slug, event_id, event_name, payload, request_id,
                             root_id, depth, occurred_at, state)
     select gen_random_uuid(), 'local', gen_random_uuid(), 'rabbit', gen_random_uuid(), 'row.inserted', '{}', 'r',
            'broad', 1, now(), 'succeeded' from generate_series(1, $1)`,
    [limits.chainDeliveries - 1],
  );
  await begin('broad');
  const dead = await eventually(async () => (await deliveries()).find(({ state }) => state === 'dead'));
  // The request's own event is not a function's, the next is the last that the chain may have.
  expect(dead).toMatchObject({ depth: 2, root_id: 'broad' });
  expect(dead.last_error).toContain(`has led to ${limits.chainDeliveries} deliveries within 10 minutes`);
  expect(dead.last_error).toContain('row.inserted → rabbit');
  await begin('another');
  await eventually(async () =>
    (await deliveries()).some((one) => one.root_id === 'another' && one.depth === 3),
  );
});
