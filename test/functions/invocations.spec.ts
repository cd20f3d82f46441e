import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import type { StartedDelivery } from '#libs/events';
import { FunctionsModule, InvokeFunction } from '#libs/functions';
import { limits } from '#libs/platform';
import { eventually } from '../support/eventually.js';
import { newDelivery } from './new-delivery.js';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';

let invokeFunction: InvokeFunction;

/** Takes hold of what a worker uses. */
@Module({ imports: [FunctionsModule] })
class Probe {
  constructor(invoke: InvokeFunction) {
    invokeFunction = invoke;
  }
}

interface LogLine {
  message: string;
  level: string;
  invocation_id: string | null;
}

let server: FunctionsServer;
beforeAll(async () => {
  server = await startFunctionsServer([Probe]);
});
afterAll(() => server.close());

describe('an invocation over HTTP', () => {
  it('is recorded with what it cost, measured from outside', async () => {
    await server.deploy(
      'busy',
      `Deno.serve(() => { const end = performance.now() + 250; while (performance.now() < end); return new Response('done'); });`,
      { memory_mb: 128 },
    );
    const first = await server.call('busy', { headers: { 'x-request-id': 'trace-busy' } });
    expect(await first.text()).toBe('done');
    await (await server.call('busy')).text();
    const [warm, cold] = await server.invocationsOf('busy', 2);
    expect(cold).toMatchObject({
      id: first.headers.get('x-galley-invocation-id'),
      request_id: 'trace-busy',
      trigger: 'http',
      start: 'cold',
      status: 'succeeded',
      http_status: 200,
      error: null,
    });
    expect(warm!.start).toBe('warm');
    expect(cold!.wall_ms).toBeGreaterThanOrEqual(249);
    // Other processes take their share of the processors.
    expect(cold!.cpu_ms).toBeGreaterThan(30);
    expect([cold, warm].map((record) => typeof record!.boot_ms)).toEqual(['number', 'object']);
    expect(cold!.peak_memory_bytes).toBeGreaterThan(1024 * 1024);
    expect(cold!.gb_ms).toBeCloseTo(cold!.wall_ms / 8, 5);
  });

  it('ends with the last byte of the answer', async () => {
    await server.deploy(
      'dripping',
      `Deno.serve(() => new Response(new ReadableStream({ async start(c) {
        c.enqueue(new Uint8Array(1)); await new Promise((r) => setTimeout(r, 80)); c.close(); } })));`,
    );
    await (await server.call('dripping')).arrayBuffer();
    const [record] = await server.invocationsOf('dripping', 1);
    expect(record!.wall_ms).toBeGreaterThanOrEqual(75);
  });

  it('is recorded as failed when the function fails, cannot start or runs out of time', async () => {
    await server.deploy('fails', 'Deno.serve(() => { throw new Error("oh"); });');
    await server.call('fails');
    expect((await server.invocationsOf('fails', 1))[0]).toMatchObject({ status: 'failed', http_status: 500 });
    await server.deploy('no-start', 'throw new Error("oh");');
    await server.call('no-start');
    const [noStart] = await server.invocationsOf('no-start', 1);
    expect(noStart).toMatchObject({
      status: 'failed',
      http_status: null,
      error: expect.stringContaining('BOOT_ERROR'),
    });
    await server.deploy('late', 'Deno.serve(() => new Promise(() => {}));', { timeout_ms: 100 });
    await server.call('late');
    const [late] = await server.invocationsOf('late', 1);
    expect(late).toMatchObject({ status: 'failed', error: expect.stringContaining('IDLE_TIMEOUT') });
    expect(late!.wall_ms).toBeGreaterThanOrEqual(95);
  });

  it('may go so deep through functions that call each other, and no deeper', async () => {
    await server.deploy(
      'recursive',
      `Deno.serve(async (request) => {
        const { signal } = request;
        const answer = await fetch(Deno.env.get('SUPABASE_URL') + '/functions/v1/recursive', {
          signal, headers: { authorization: 'Bearer ' + request.headers.get('x-galley-token') } });
        return new Response(await answer.text(), { status: answer.status });
      });`,
      { concurrency: 50, max_instances: 1 },
    );
    const response = await server.call('recursive');
    expect(response.status).toBe(508);
    expect(await response.json()).toMatchObject({ code: 'LOOP_DETECTED' });
  });
});

describe('an event', () => {
  const delivery = (slug: string, change: Partial<StartedDelivery> = {}) =>
    newDelivery(slug, { attempt: 3, ...change });
  const deliver = (to: StartedDelivery) =>
    invokeFunction.invokeForEvent(server.project, to, new AbortController().signal);

  it('reaches the function as a CloudEvent with the body of a database webhook, and is not verified', async () => {
    await server.deploy(
      'listening',
      `Deno.serve(async (request) => { console.log(JSON.stringify({
        method: request.method, path: new URL(request.url).pathname, body: await request.json(),
        headers: Object.fromEntries(request.headers) })); return new Response(); });`,
      { attempts: 7 },
    );
    const event = delivery('listening');
    const outcome = await deliver(event);
    expect(outcome).toMatchObject({
      status: 'succeeded',
      maxAttempts: 7,
      record: {
        id: event.invocationId,
        trigger: 'event',
        deliveryId: event.id,
        attempt: 3,
        requestId: 'trace-event',
      },
    });
    const seen = await eventually(async () => {
      const { body } = await server.manage(
        'GET',
        `/functions/listening/logs?invocation_id=${event.invocationId}`,
      );
      const [line] = body as unknown as LogLine[];
      return line && (JSON.parse(line.message) as { headers: Record<string, string> });
    });
    expect(seen).toMatchObject({
      method: 'POST',
      path: '/listening',
      body: { type: 'UPDATE', schema: 'public', table: 'posts', record: { id: 2 }, old_record: { id: 1 } },
      headers: {
        'ce-id': event.eventId,
        'ce-type': 'row.updated',
        'ce-source': '/projects/local',
        'ce-specversion': '1.0',
        'ce-time': '2026-01-02T03:04:05.678Z',
        'content-type': 'application/json',
        'x-request-id': 'trace-event',
        'ce-subject': 'public.posts',
        'ce-galleyattempt': '3',
        'idempotency-key': event.id,
        authorization: expect.stringMatching(/^Bearer eyJ/),
      },
    });
    // The worker writes the record, together with the delivery's state.
    const { body } = await server.manage('GET', '/invocations?function=listening');
    expect(body).toEqual([]);
  });

  it('failed when the function answers anything but 2xx, with its words and its Retry-After', async () => {
    await server.deploy(
      'refusing',
      `Deno.serve(() => new Response('later, '.repeat(1000), { status: 503, headers: { 'retry-after': '7' } }));`,
    );
    const outcome = await deliver(delivery('refusing'));
    expect(outcome).toMatchObject({
      status: 'failed',
      retryAfterMs: 7000,
      record: { status: 'failed', httpStatus: 503 },
    });
    const { error } = outcome as { error: string };
    expect(error).toMatch(/^The function answered 503: later, /);
    expect(error.length).toBeLessThan(1100);
    await server.deploy('redirecting', `Deno.serve(() => new Response(null, { status: 302 }));`);
    expect(await deliver(delivery('redirecting'))).toMatchObject({ status: 'failed' });
  });

  it('failed when the process dies, and is given up when there is no such function', async () => {
    await server.deploy('dying', `Deno.serve(() => Deno.exit(1));`, { attempts: 2 });
    expect(await deliver(delivery('dying'))).toMatchObject({
      status: 'failed',
      maxAttempts: 2,
      error: expect.stringContaining('WORKER_ERROR'),
    });
    expect(await deliver(delivery('nobody'))).toMatchObject({ status: 'failed', maxAttempts: 0 });
    expect(await deliver(delivery('listening', { depth: 17 }))).toMatchObject({
      status: 'failed',
      error: expect.stringContaining('LOOP_DETECTED'),
    });
  });

  it('that its worker no longer waits for is not begun, and one under way is stopped', async () => {
    await server.deploy('hanging', `Deno.serve(() => { console.log('begun'); for (;;); });`);
    const stop = new AbortController();
    const event = delivery('hanging');
    const outcome = invokeFunction.invokeForEvent(server.project, event, stop.signal);
    await eventually(async () => {
      const { body } = await server.manage('GET', '/functions/hanging/logs?text=begun');
      return body.length > 0;
    });
    stop.abort();
    expect(await outcome).toMatchObject({ status: 'failed', record: { id: event.invocationId } });
    const never = await invokeFunction.invokeForEvent(server.project, delivery('hanging'), stop.signal);
    expect(never).toMatchObject({ status: 'busy' });
    expect(never.record).toBeUndefined();
  });

  it('may act through another server while its delivery runs, and not after', async () => {
    await server.project.database.query(
      'create table if not exists public.seen (id int); grant all on public.seen to anon',
    );
    const { invocationId, id, ...rest } = delivery('listening');
    await server.platform.database.query(
      `insert into deliveries (id, project_ref, subscription_id, function_slug, event_id, event_name, payload, request_id,
                               depth, state, invocation_id, occurred_at)
       values ($1, 'local', $2, 'listening', $3, 'row.updated', '{}', 'r', 0, 'running', $4, now())`,
      [id, rest.subscriptionId, rest.eventId, invocationId],
    );
    const token = server.project.tokens.sign(
      {
        role: 'anon',
        galley_function: { invocation_id: invocationId, function: 'listening', depth: 1, rpc: [] },
      },
      60,
    );
    const read = () => fetch(`${server.url}/rest/v1/seen`, { headers: { authorization: `Bearer ${token}` } });
    expect((await read()).status).toBe(200);
    await server.platform.database.query(`update deliveries set state = 'succeeded' where id = $1`, [id]);
    expect((await read()).status).toBe(401);
  });

  it('may be handled by as many instances as the manifest allows', async () => {
    await server.deploy('wide', 'Deno.serve(() => new Response());', { max_instances: 3, concurrency: 5 });
    const one = { maxInstances: 1, concurrency: 1 };
    expect(await invokeFunction.eventCapacity(server.project, 'wide')).toEqual({
      maxInstances: 3,
      concurrency: 5,
    });
    expect(await invokeFunction.eventCapacity(server.project, 'nobody')).toEqual(one);
    expect(await invokeFunction.eventCapacity(undefined, 'wide')).toEqual(one);
  });
});

describe('a subscription to row changes', () => {
  const triggers = async (table: string) => {
    const { rows } = await server.project.database.query(
      `select from pg_trigger where tgname = 'galley_row_changes' and tgrelid = $1::regclass`,
      [table],
    );
    return rows.length;
  };

  it('watches the table from the deployment on, until no function wants it', async () => {
    await server.project.database.query('create table public.watched (id int primary key, title text)');
    const manifest = { on: [{ event: 'row.updated', table: 'public.watched' }] };
    await server.deploy('watcher', 'Deno.serve(() => new Response());', manifest);
    await server.deploy('second', 'Deno.serve(() => new Response());', manifest);
    const {
      rows: [subscription],
    } = await server.platform.database.query(
      `select event, filter from subscriptions where function_slug = 'watcher'`,
    );
    expect(subscription).toEqual({ event: 'row.updated', filter: { table: 'public.watched' } });
    await server.project.database.query(
      `insert into public.watched values (1, 'a'); update public.watched set title = 'b'`,
    );
    const { rows } = await server.project.database.query(
      'select name, payload from galley.outbox order by position',
    );
    expect(rows).toMatchObject([
      { name: 'row.inserted' },
      {
        name: 'row.updated',
        payload: { schema: 'public', table: 'watched', record: { title: 'b' }, old_record: { title: 'a' } },
      },
    ]);
    await server.project.database.query(`update public.watched set title = repeat('x', 600000)`);
    const { rows: large } = await server.project.database.query(
      'select payload, octet_length(payload::text) as bytes from galley.outbox order by position desc limit 1',
    );
    expect(large).toMatchObject([
      { payload: { record: { id: 1, title: null }, old_record: { title: 'b' }, left_out: ['title'] } },
    ]);
    expect(large[0]!.bytes).toBeLessThan(limits.eventPayloadBytes);
    await server.manage('DELETE', '/functions/second');
    expect(await triggers('public.watched')).toBe(1);
    await server.deploy('watcher', 'Deno.serve(() => new Response());');
    expect(await triggers('public.watched')).toBe(0);
  });
});
