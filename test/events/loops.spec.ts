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
/** Calls another function later, as itself. */
const callingLater = `
Deno.serve(async (request) => {
  const answer = await fetch(Deno.env.get('SUPABASE_URL') + '/functions/v1/rabbit', {
    method: 'POST', body: '{}',
    headers: { authorization: 'Bearer ' + request.headers.get('x-galley-token'), prefer: 'respond-async' } });
  return Response.json({ status: answer.status, ...(await answer.json()) });
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

/** Makes as if a chain had led to so many deliveries. */
const spend = (rootId: string, count: number) =>
  server.platform.database.query(
    `insert into deliveries (id, project_ref, subscription_id, function_slug, event_id, event_name, payload, request_id,
                             root_id, depth, occurred_at, state)
     select gen_random_uuid(), 'local', gen_random_uuid(), 'rabbit', gen_random_uuid(), 'row.inserted', '{}', 'r',
            $1, 1, now(), 'succeeded' from generate_series(1, $2)`,
    [rootId, count],
  );

it('what one request led to is stopped when it has become too much, whatever its depth', async () => {
  await spend('broad', limits.chainDeliveries - 1);
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

it('what triggers request and functions call for later counts as well, and is stopped as well', async () => {
  const { database } = server.project;
  await database.query(`
    create table public.hares (id serial);
    create trigger hares_hook after insert on public.hares for each row execute function
      supabase_functions.http_request('${server.url}/functions/v1/nobody', 'POST', '{}', '{}', '1000')`);
  const insertHare = (requestId: string) =>
    database.asSystem(async (tx) => {
      await tx.query(
        `select set_config('galley.request_id', $1, true), set_config('galley.root', 'hook', true),
                             set_config('galley.depth', '1', true)`,
        [requestId],
      );
      await tx.query('insert into public.hares default values');
    });
  await spend('hook', limits.chainDeliveries - 1);
  await insertHare('last');
  await insertHare('over');
  const refused = await eventually(async () => (await deliveries()).find((one) => one.request_id === 'over'));
  expect(refused).toMatchObject({ state: 'dead', root_id: 'hook' });
  expect(refused.last_error).toContain(`has led to ${limits.chainDeliveries} deliveries`);
  expect((await deliveries()).find((one) => one.request_id === 'last')!.last_error ?? '').not.toContain(
    'led to',
  );

  await server.deploy('later', callingLater);
  const call = () => server.call('later', { headers: { 'x-request-id': 'fan-out' } });
  expect(await (await call()).json()).toMatchObject({ status: 202 });
  await spend('fan-out', limits.chainDeliveries - 1);
  expect(await (await call()).json()).toMatchObject({ status: 508, code: 'LOOP_DETECTED' });
});
