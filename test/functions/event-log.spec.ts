import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { appendEvent, EventsHttpModule } from '#libs/events';
import { WorkerModule } from '../../apps/worker/src/worker.module.js';
import { eventually } from '../support/eventually.js';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';
import type { LogLine } from './log-support.js';

let server: FunctionsServer;
beforeAll(async () => {
  server = await startFunctionsServer([EventsHttpModule, WorkerModule]);
  await server.project.database.query('create table public.orders (id int primary key)');
});
afterAll(() => server.close());

/** Deploys a function that new orders wake. */
const deploy = (slug: string, source: string, attempts: number) =>
  server.deploy(slug, source, { attempts, on: [{ event: 'row.inserted', table: 'public.orders' }] });

const order = (id: number) => server.project.database.query('insert into public.orders values ($1)', [id]);

/** Lines of the function's log about its events, oldest first, once there are so many. */
const told = (slug: string, count: number) =>
  eventually(async () => {
    const { body } = await server.manage('GET', `/functions/${slug}/logs?order=asc&text=Event%20row`);
    return body.length >= count && (body as unknown as LogLine[]);
  });

const lastDelivery = async (slug: string) => {
  const { body } = await server.manage('GET', `/deliveries?function=${slug}&limit=1`);
  return (body as unknown as { id: string; event_id: string; last_error: string }[])[0]!;
};

describe("a function's log tells of an event that failed", () => {
  it('each time, why, and when it comes again; and of the dead letter in the end', async () => {
    const source = `Deno.serve(() => new Response('not yet', { status: 503, headers: { 'retry-after': '1' } }));`;
    await deploy('postpones', source, 2);
    await order(1);
    const lines = await told('postpones', 2);
    const { id, event_id: eventId } = await lastDelivery('postpones');
    const invocations = await server.manage('GET', '/invocations?function=postpones');
    const [second, first] = invocations.body as unknown as { id: string }[];
    expect(lines).toMatchObject([
      {
        source: 'platform',
        level: 'warn',
        invocation_id: first!.id,
        message:
          `Event row.inserted (${eventId}): attempt 1 of 2 failed: The function answered 503: not yet. ` +
          'The next one comes in 1 s.',
      },
      {
        source: 'platform',
        level: 'error',
        invocation_id: second!.id,
        message:
          `Event row.inserted (${eventId}) is a dead letter after attempt 2 of 2: The function answered 503: not yet. ` +
          `To try it again: POST /v1/projects/local/deliveries/${id}/redrive`,
      },
    ]);
    await server.manage('DELETE', '/functions/postpones');
  });

  it('with the invocation that never began, because the function did not start', async () => {
    await deploy('broken', `throw new Error('on purpose');`, 1);
    await order(2);
    const [line] = await told('broken', 1);
    expect(line).toMatchObject({
      level: 'error',
      message: expect.stringMatching(
        / is a dead letter after attempt 1 of 1: BOOT_ERROR: The function did not start: /,
      ),
    });
    const { body } = await server.manage(
      'GET',
      `/functions/broken/logs?invocation_id=${line!.invocation_id}`,
    );
    expect(body).toMatchObject([{ id: line!.id }]);
    await server.manage('DELETE', '/functions/broken');
  });

  it('that was not carried to it', async () => {
    await deploy('looped', `Deno.serve(() => new Response());`, 8);
    await server.project.database.asSystem((tx) =>
      appendEvent(tx, {
        name: 'row.inserted',
        payload: { schema: 'public', table: 'orders', record: { id: 3 }, old_record: null },
        requestId: 'trace',
        depth: 17,
      }),
    );
    const [line] = await told('looped', 1);
    const { last_error: refusal } = await lastDelivery('looped');
    expect(refusal).toMatch(/^Functions woke each other 17 times/);
    expect(line).toMatchObject({
      level: 'error',
      message: expect.stringContaining(`is a dead letter: ${refusal}`),
    });
  });
});
