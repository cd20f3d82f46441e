import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { EventsHttpModule, JobQueue, Relay } from '#libs/events';
import { startFunctionsServer, type FunctionsServer } from '../functions/functions-server.js';

const ok = 'Deno.serve(() => new Response());';
const orders = { event: 'row.updated', table: 'public.orders' };

describe('a subscription to row changes', () => {
  let server: FunctionsServer;
  let relay: Relay;

  beforeAll(async () => {
    server = await startFunctionsServer([EventsHttpModule]);
    relay = new Relay(server.project, server.platform.database, server.get(JobQueue), server.platform.logger);
    await server.project.database.query(`
      create table public.orders (
        id bigint primary key, status text, amount numeric, paid boolean, due date, tags text[], note text)`);
  });
  beforeEach(() => server.platform.database.query('delete from deliveries'));
  afterAll(() => server.close());

  const subscribe = (filter: Record<string, unknown>) =>
    server.deploy('orders', ok, { on: [{ ...orders, ...filter }] });
  /** How many deliveries come of the change. */
  const deliveriesOf = async (change: string, values: unknown[] = []) => {
    await server.project.database.query(change, values);
    await relay.runOnce();
    return (await server.platform.database.query('select from deliveries')).rowCount;
  };

  it('is told only when one of its columns changed', async () => {
    await subscribe({ columns: ['status', 'amount'] });
    await server.project.database.query(`insert into public.orders (id, status) values (1, 'new')`);
    expect(await deliveriesOf(`update public.orders set note = 'x' where id = 1`)).toBe(0);
    expect(await deliveriesOf(`update public.orders set status = 'new' where id = 1`)).toBe(0);
    expect(await deliveriesOf(`update public.orders set status = 'paid' where id = 1`)).toBe(1);
    expect(await deliveriesOf(`update public.orders set amount = 1 where id = 1`)).toBe(2);
  });

  it.each([
    [{ status: 'eq.paid' }, { status: 'paid' }, true],
    [{ status: 'eq.paid' }, { status: 'Paid' }, false],
    [{ status: 'not.eq.paid' }, { status: 'new' }, true],
    [{ status: 'not.eq.paid' }, { status: null }, false],
    [{ status: 'in.(paid,"a, b")' }, { status: 'a, b' }, true],
    [{ status: 'like.p*d' }, { status: 'paid' }, true],
    [{ status: 'ilike.P*' }, { status: 'paid' }, true],
    [{ status: 'like.%\\' }, { status: 'paid' }, false],
    [{ amount: 'gt.9' }, { amount: 10 }, true],
    [{ amount: 'lte.9.50' }, { amount: '9.5' }, true],
    [{ amount: 'gt.100', status: 'eq.paid' }, { amount: 101, status: 'new' }, false],
    [{ amount: 'eq.9007199254740993' }, { amount: '9007199254740993' }, true],
    [{ amount: 'eq.9007199254740993' }, { amount: '9007199254740992' }, false],
    [{ paid: 'is.true' }, { paid: true }, true],
    [{ paid: 'eq.false' }, { paid: true }, false],
    [{ due: 'lt.2026-02-01' }, { due: '2026-01-31' }, true],
    [{ tags: 'is.null' }, { status: 'x' }, true],
    [{ tags: 'is.not_null' }, { tags: '{a}' }, true],
    [{ note: "eq.'; drop table orders; --" }, { note: 'x' }, false],
  ])('when %j is told of %j: %s', async (when, row, isTold) => {
    await subscribe({ when });
    await server.project.database.query(
      `delete from public.orders; insert into public.orders (id, amount) values (1, 0)`,
    );
    await server.project.database.query('truncate galley.outbox');
    const columns = Object.keys(row);
    const change = `update public.orders set ${columns.map((column, i) => `${column} = $${i + 1}`).join(', ')}`;
    expect(await deliveriesOf(change, Object.values(row))).toBe(isTold ? 1 : 0);
  });

  it('asks of a deleted row what it was', async () => {
    await server.deploy('orders', ok, {
      on: [{ event: 'row.deleted', table: 'public.orders', when: { status: 'eq.paid' } }],
    });
    await server.project.database.query(
      `delete from public.orders; insert into public.orders (id, status) values (1, 'paid'), (2, 'new')`,
    );
    expect(await deliveriesOf('delete from public.orders')).toBe(1);
  });

  it('is told of a row whose value was too long for its event, since it may be meant', async () => {
    await subscribe({ columns: ['note'], when: { note: 'like.y*' } });
    await server.project.database.query(
      `delete from public.orders; insert into public.orders (id) values (1)`,
    );
    expect(await deliveriesOf(`update public.orders set note = repeat('x', 600000)`)).toBe(1);
  });

  it.each([
    [{ columns: ['stauts'] }, /on\[0\]\.columns: public\.orders has no column "stauts"; it has id, status,/],
    [{ when: { stauts: 'eq.paid' } }, /on\[0\]\.when: public\.orders has no column "stauts"/],
    [{ when: { amount: 'gt.many' } }, /on\[0\]\.when\.amount: expected a number, not "many"/],
    [{ when: { tags: 'eq.a' } }, /on\[0\]\.when\.tags: of a column of this type only/],
    [{ when: { status: 'paid' } }, /on\[0\]\.when\.status: expected "<operator>\.<value>"/],
    [{ ordering_key: 'customer' }, /on\[0\]\.ordering_key: public\.orders has no column "customer"/],
  ])('with %j is refused when it is deployed', async (filter, message) => {
    const { status, body } = await server.tryDeploy('wrong', ok, { on: [{ ...orders, ...filter }] });
    expect([status, body['message']]).toEqual([400, expect.stringMatching(message)]);
  });

  it('stays itself, with its pause, when only its settings change', async () => {
    const found = async () => {
      const { rows } = await server.platform.database.query(
        `select id, settings, paused_at is not null as paused from subscriptions where function_slug = 'orders'`,
      );
      return rows;
    };
    await subscribe({ attempts: 3 });
    const [before] = await found();
    await server.platform.database.query('update subscriptions set paused_at = now()');
    await subscribe({ attempts: 5, retry: { delays_ms: [100] } });
    expect(await found()).toEqual([
      { id: before!['id'], settings: { attempts: 5, retry: { delays_ms: [100] } }, paused: true },
    ]);
  });

  it('lets one request cause only so many events', async () => {
    await subscribe({});
    await server.project.database.query(
      `delete from public.orders; grant all on public.orders to service_role;
       insert into public.orders (id) select generate_series(1, 10001)`,
    );
    await server.project.database.query('truncate galley.outbox');
    const { error } = await server
      .client(server.keys.secretKey)
      .from('orders')
      .update({ note: 'x' })
      .gt('id', 0);
    expect(error).toMatchObject({ message: 'One request may cause 10000 events at most' });
    const { rowCount } = await server.project.database.query(`select from public.orders where note = 'x'`);
    expect(rowCount).toBe(0);
    const fewer = await server.client(server.keys.secretKey).from('orders').update({ note: 'x' }).gt('id', 1);
    expect(fewer.error).toBeNull();
    await server.project.database.query('truncate galley.outbox');
    // The owner's own SQL is no request.
    await server.project.database.query(`update public.orders set note = 'y'`);
    await server.project.database.query('truncate galley.outbox');
  });
});
