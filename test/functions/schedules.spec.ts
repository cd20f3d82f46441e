import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { EventsHttpModule, JobQueue, queueNameOf, Scheduler } from '#libs/events';
import type { PlatformDatabase } from '#libs/platform';
import { WorkerModule } from '../../apps/worker/src/worker.module.js';
import { eventually } from '../support/eventually.js';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';

const tells = `Deno.serve(async (request) => {
  const headers = Object.fromEntries(request.headers);
  console.log(JSON.stringify({ type: headers['ce-type'], time: headers['ce-time'], body: await request.json() }));
  return new Response('ok');
});`;
const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);
const daily = { cron: '0 3 * * *', time_zone: 'Europe/Berlin' };

let server: FunctionsServer;
const query = <Row extends object>(text: string, values: unknown[] = []) =>
  server.platform.database.query<Row>(text, values).then(({ rows }) => rows);
const schedulesOf = async (slug: string) =>
  ((await server.manage('GET', '/schedules')).body as unknown as Record<string, unknown>[]).filter(
    (schedule) => schedule['function'] === slug,
  );
const deliveriesTo = (slug: string) =>
  query<{ id: string; state: string; occurred_at: Date }>(
    'select id, state, occurred_at from deliveries where function_slug = $1 order by occurred_at',
    [slug],
  );

/** The platform's database with transactions of another kind. */
function withTransactions(transaction: PlatformDatabase['transaction']): PlatformDatabase {
  return new Proxy(server.platform.database, {
    get: (target, name) => {
      if (name === 'transaction') return transaction;
      const value = Reflect.get(target, name) as unknown;
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

describe('schedules, without a worker', () => {
  let now: Date;
  let counted: number;
  const newScheduler = (platform = server.platform.database) =>
    new Scheduler(
      platform,
      server.get(JobQueue),
      { now: () => now },
      server.platform.logger,
      (_ref, runs) => void (counted += runs),
    );
  /** As if the last time had been a moment ago. */
  const makeDue = (slug: string, at: string) =>
    query('update schedules set next_at = $2 where function_slug = $1', [slug, at]);

  beforeAll(async () => {
    server = await startFunctionsServer([EventsHttpModule]);
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    now = new Date('2030-01-01T02:00:00Z');
    counted = 0;
  });

  it('come with the manifest, keep their place while their times stay, and go with it', async () => {
    await server.deploy('nightly', tells, {
      schedule: [{ ...daily, name: 'tidy' }, { cron: '*/5 * * * * *' }],
    });
    const [five, tidy] = await schedulesOf('nightly');
    expect(five).toMatchObject({
      name: '*/5 * * * * *',
      source: 'manifest',
      overlap: 'skip',
      missed: 'last',
    });
    expect(tidy).toMatchObject({
      name: 'tidy',
      cron: '0 3 * * *',
      time_zone: 'Europe/Berlin',
      paused: false,
    });
    await makeDue('nightly', '2031-01-01T00:00:00Z');

    await server.deploy('nightly', `${tells}//`, {
      schedule: [{ ...daily, name: 'tidy', payload: { deep: true } }, { cron: '*/7 * * * * *' }],
    });
    const [seven, again] = await schedulesOf('nightly');
    expect(again).toMatchObject({
      id: tidy!['id'],
      next_at: '2031-01-01T00:00:00.000Z',
      payload: { deep: true },
    });
    expect(seven!['next_at']).not.toBe('2031-01-01T00:00:00.000Z');

    await server.manage('DELETE', '/functions/nightly');
    expect(await schedulesOf('nightly')).toEqual([]);
  });

  it.each([
    [/schedule\[0\]\.cron: expected five fields/, { cron: '* * *' }],
    [/schedule\[0\]\.cron: expected either cron or at/, {}],
    [/expected either cron or at/, { cron: '* * * * *', at: '2030-01-01T00:00:00Z' }],
    [/schedule\[0\]\.at: expected a moment/, { at: 'tomorrow' }],
    [/schedule\[0\]\.time_zone: expected the name of a time zone/, { cron: '* * * * *', time_zone: 'Mars' }],
    [/time_zone: expected none beside at/, { at: '2030-01-01T00:00:00Z', time_zone: 'UTC' }],
    [/missed: expected overlap "queue" or "allow"/, { cron: '* * * * *', missed: 'all' }],
    [/unknown key "every"/, { cron: '* * * * *', every: 1 }],
    [/payload: expected at most 65536 bytes/, { cron: '* * * * *', payload: 'x'.repeat(70_000) }],
    [/payload: expected text without zero bytes/, { cron: '* * * * *', payload: 'a\0' }],
    [/payload: expected text without zero bytes/, { cron: '* * * * *', payload: { a: ['\ud800'] } }],
    [/payload: expected lists and objects at most 100 deep/, { cron: '* * * * *', payload: deep(200) }],
    [/name: expected a name/, { cron: '* * * * *', name: 'a\0' }],
  ])('are refused with %s when they are wrong', async (message, schedule) => {
    const { status, body } = await server.tryDeploy('refused', tells, { schedule: [schedule] });
    expect([status, body['message']]).toEqual([400, expect.stringMatching(message)]);
    const one = { function: 'refused', ...schedule };
    expect((await server.manage('POST', '/schedules', one)).status).toBe(400);
  });

  it('need names of their own', async () => {
    const { body } = await server.tryDeploy('twice', tells, { schedule: [daily, daily] });
    expect(body['message']).toMatch(/expected a name of its own for each schedule/);
  });

  it('that are one-off times make room for new ones when they are over, and no others do', async () => {
    await server.deploy('reminds', tells);
    const fill = (at: string | null, nextAt: string | null) =>
      query(
        `insert into schedules (id, project_ref, function_slug, name, source, cron, at, overlap, missed, next_at)
         select gen_random_uuid(), 'local', 'reminds', n, 'api', case when $1::text is null then '0 3 * * *' end,
                $1::timestamptz, 'skip', 'last', $2::timestamptz
         from generate_series(1, 1000) n`,
        [at, nextAt],
      );
    const add = async () =>
      (await server.manage('POST', '/schedules', { function: 'reminds', at: '2099-01-01T00:00:00Z' })).status;
    for (const [at, nextAt] of [
      ['2098-01-01T00:00:00Z', '2098-01-01T00:00:00Z'],
      [null, '2098-01-01T00:00:00Z'],
    ] as const) {
      await fill(at, nextAt);
      expect(await add()).toBe(409);
      await query(`delete from schedules where function_slug = 'reminds'`);
    }
    await fill('2020-01-01T00:00:00Z', null);
    expect(await add()).toBe(201);
    expect(await schedulesOf('reminds')).toHaveLength(1000);
    await server.manage('DELETE', '/functions/reminds');
  });

  it('fire once at a time, and are counted once, however many schedulers there are', async () => {
    await server.deploy('once', tells, { schedule: [{ cron: '0 * * * *' }] });
    await makeDue('once', '2030-01-01T02:00:00Z');
    const waits = await Promise.all(Array.from({ length: 4 }, () => newScheduler().runOnce()));
    expect(Math.max(...waits)).toBeLessThanOrEqual(30_000);
    expect(counted).toBe(1);
    expect(await deliveriesTo('once')).toMatchObject([{ state: 'queued', occurred_at: now }]);
    expect((await server.get(JobQueue).counts(queueNameOf('local', 'once'))).waiting).toBe(1);
    expect(await schedulesOf('once')).toMatchObject([
      { next_at: '2030-01-01T03:00:00.000Z', last_at: '2030-01-01T02:00:00.000Z' },
    ]);
  });

  it('fire a time once although a scheduler died before the queue had the job', async () => {
    await server.deploy('killed', tells, { schedule: [{ cron: '0 * * * *', overlap: 'allow' }] });
    await makeDue('killed', '2030-01-01T02:00:00Z');
    await newScheduler().runOnce();
    await makeDue('killed', '2030-01-01T02:00:00Z');
    await newScheduler().runOnce();
    expect(await deliveriesTo('killed')).toHaveLength(1);
  });

  it('say how long nothing is due', async () => {
    await query("update schedules set next_at = '2030-01-01T02:00:07.250Z'");
    expect(await newScheduler().runOnce()).toBe(7_250);
  });

  it('skip a run while the last has not ended, and tell how many they skipped', async () => {
    await server.deploy('slow', tells, { schedule: [{ cron: '0 * * * *' }] });
    await makeDue('slow', '2030-01-01T02:00:00Z');
    await newScheduler().runOnce();
    now = new Date('2030-01-01T03:00:00Z');
    await newScheduler().runOnce();
    expect(await deliveriesTo('slow')).toHaveLength(1);
    expect(await schedulesOf('slow')).toMatchObject([{ skipped: 1, next_at: '2030-01-01T04:00:00.000Z' }]);
    await query("update deliveries set state = 'succeeded' where function_slug = 'slow'");
    now = new Date('2030-01-01T04:00:00Z');
    await newScheduler().runOnce();
    expect(await deliveriesTo('slow')).toHaveLength(2);
  });

  it('let runs wait in line, and begin the next when the one before has ended', async () => {
    await server.deploy('line', tells, { schedule: [{ cron: '0 * * * *', overlap: 'queue' }] });
    await makeDue('line', '2030-01-01T02:00:00Z');
    for (const hour of [2, 3, 4]) {
      now = new Date(Date.UTC(2030, 0, 1, hour));
      await newScheduler().runOnce();
    }
    expect(await deliveriesTo('line')).toHaveLength(1);
    expect(await schedulesOf('line')).toMatchObject([{ waiting: 2, skipped: 0 }]);
    const scheduler = newScheduler();
    await scheduler.start();
    for (const hour of [2, 3]) {
      await query("update deliveries set state = 'dead' where function_slug = 'line'");
      await eventually(async () => (await deliveriesTo('line')).length === hour, { within: 2_000 });
    }
    await scheduler.stop();
    const hours = (await deliveriesTo('line')).map(({ occurred_at: at }) => at.getUTCHours());
    expect(hours).toEqual([2, 3, 4]);
  });

  it('in line see a run that another scheduler began while they were claimed', async () => {
    await server.deploy('meanwhile', tells, { schedule: [{ cron: '0 * * * *', overlap: 'queue' }] });
    await query(`update schedules set next_at = '2030-01-01T03:00:00Z', waiting = array['2030-01-01T01:00:00Z'::timestamptz]
                 where function_slug = 'meanwhile'`);
    const beginRun = () =>
      query(`insert into deliveries (id, project_ref, subscription_id, function_slug, event_id, event_name, payload,
                                     request_id, depth, occurred_at)
             select gen_random_uuid(), project_ref, id, function_slug, gen_random_uuid(), 'schedule.fired', '{"a": 1}', '', 0, now()
             from schedules where function_slug = 'meanwhile'`);
    /** After its first statement another's run is there. */
    const platform = withTransactions((work) =>
      server.platform.database.transaction((tx) => {
        let statements = 0;
        return work({
          ...tx,
          async query(text: string, values: unknown[]) {
            const answer = await tx.query(text, values);
            if (statements++ === 0) await beginRun();
            return answer as never;
          },
        });
      }),
    );
    await newScheduler(platform).runOnce();
    expect(await deliveriesTo('meanwhile')).toHaveLength(1);
    expect(await schedulesOf('meanwhile')).toMatchObject([{ waiting: 1 }]);
  });

  it('are not asked for again and again while another scheduler holds them', async () => {
    await server.deploy('held', tells, { schedule: [{ cron: '0 * * * *' }] });
    await makeDue('held', '2030-01-01T02:00:00Z');
    const waitMs = await server.platform.database.transaction(async (tx) => {
      await tx.query(`select from schedules where function_slug = 'held' for update`);
      return newScheduler().runOnce();
    });
    expect(waitMs).toBeGreaterThanOrEqual(50);
    expect(await deliveriesTo('held')).toEqual([]);
  });

  it('fire although the run of another cannot be recorded', async () => {
    for (const slug of ['refused', 'beside']) {
      await server.deploy(slug, tells, { schedule: [{ cron: '0 * * * *' }] });
      await makeDue(slug, '2030-01-01T02:00:00Z');
    }
    await query(
      `alter table deliveries add constraint not_this check (function_slug <> 'refused') not valid`,
    );
    await newScheduler().runOnce();
    await query('alter table deliveries drop constraint not_this');
    expect(await deliveriesTo('beside')).toMatchObject([{ state: 'queued' }]);
    expect((await server.get(JobQueue).counts(queueNameOf('local', 'beside'))).waiting).toBe(1);
    expect(await deliveriesTo('refused')).toEqual([]);
    expect(await schedulesOf('refused')).toMatchObject([{ next_at: '2030-01-01T03:00:00.000Z' }]);
  });

  it('are made, changed, paused and deleted by the management API', async () => {
    await server.deploy('managed', tells, { schedule: [{ ...daily, name: 'declared' }] });
    const made = await server.manage('POST', '/schedules', {
      function: 'managed',
      name: 'christmas',
      at: '2030-12-24T18:00:00+01:00',
      payload: { gift: 1 },
    });
    expect(made).toMatchObject({
      status: 201,
      body: { source: 'api', next_at: '2030-12-24T17:00:00.000Z', payload: { gift: 1 } },
    });
    const path = `/schedules/${String(made.body['id'])}`;
    expect(
      await server.manage('POST', '/schedules', { function: 'managed', name: 'christmas', ...daily }),
    ).toMatchObject({ status: 409 });
    expect(await server.manage('POST', '/schedules', { function: 'nobody', ...daily })).toMatchObject({
      status: 404,
    });
    expect(
      await server.manage('POST', '/schedules', { function: 'managed', at: '2020-01-01T00:00:00Z' }),
    ).toMatchObject({ status: 400 });

    const changed = await server.manage('PATCH', path, { at: null, ...daily, overlap: 'allow' });
    expect(changed).toMatchObject({
      status: 200,
      body: { cron: '0 3 * * *', at: null, payload: { gift: 1 } },
    });
    expect(await server.manage('PATCH', path, { cron: null })).toMatchObject({ status: 400 });
    expect(await server.manage('PATCH', path, { paused: true })).toMatchObject({
      body: { paused: true, next_at: null },
    });
    await makeDue('managed', '2030-01-01T02:00:00Z');
    const declared = (await schedulesOf('managed')).find(({ name }) => name === 'declared')!;
    await server.manage('PATCH', `/schedules/${String(declared['id'])}`, { paused: true });
    await newScheduler().runOnce();
    expect(await deliveriesTo('managed')).toEqual([]);
    expect((await server.manage('PATCH', path, { paused: false })).body['next_at']).toEqual(
      expect.any(String),
    );

    const declaredPath = `/schedules/${String(declared['id'])}`;
    expect(await server.manage('PATCH', declaredPath, { cron: '* * * * *' })).toMatchObject({ status: 409 });
    expect(await server.manage('DELETE', declaredPath)).toMatchObject({ status: 409 });
    expect(await server.manage('DELETE', path)).toMatchObject({ status: 200 });
    expect(await server.manage('DELETE', path)).toMatchObject({ status: 404 });
    const anonymous = await fetch(`${server.url}/v1/projects/local/schedules`, {
      headers: { authorization: `Bearer ${server.keys.publishableKey}` },
    });
    expect(anonymous.status).toBe(403);
  });
});

describe('schedules, with a worker', () => {
  beforeAll(async () => {
    server = await startFunctionsServer([EventsHttpModule, WorkerModule]);
  });
  afterAll(() => server.close());

  it('wake their function with what they are to say, on time', async () => {
    await server.deploy('clockwork', tells, {
      schedule: [{ cron: '* * * * * *', name: 'tick', payload: { exact: 12345678901, list: [1] } }],
    });
    const [line] = await eventually(async () => {
      const { body } = await server.manage('GET', '/functions/clockwork/logs');
      const lines = (body as unknown as { message: string; at: string }[]).filter(({ message }) =>
        message.startsWith('{'),
      );
      return lines.length >= 1 ? lines : undefined;
    });
    const told = JSON.parse(line!.message) as { time: string; body: { scheduled_for: string } };
    expect(told).toEqual({
      type: 'schedule.fired',
      time: told.body.scheduled_for,
      body: {
        type: 'SCHEDULE',
        schedule: 'tick',
        scheduled_for: expect.stringMatching(/:\d\d\.000Z$/),
        payload: { exact: 12345678901, list: [1] },
      },
    });
    // Each second's delivery was recorded within the second after it.
    await eventually(async () => (await deliveriesTo('clockwork')).length >= 3);
    const [worst] = await query<{ late: number }>(
      `select max(extract(epoch from created_at - occurred_at))::float8 as late from deliveries
       where function_slug = 'clockwork'`,
    );
    expect(worst!.late).toBeLessThan(1);
    expect(worst!.late).toBeGreaterThanOrEqual(0);
  });
});
