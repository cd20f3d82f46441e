import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createHmac, randomBytes } from 'node:crypto';
import { endDeliveriesToNobody, EventsHttpModule } from '#libs/events';
import { Secrets } from '#libs/functions';
import { WebhooksHttpModule } from '#libs/webhooks';
import { WorkerModule } from '../../apps/worker/src/worker.module.js';
import { startFunctionsServer, type FunctionsServer } from '../functions/functions-server.js';
import { eventually } from '../support/eventually.js';
import { startReceiver, type Received, type Receiver } from './receiver.js';

let server: FunctionsServer;
let receiver: Receiver;
const key = randomBytes(32);
const otherKey = randomBytes(24);
const whsec = (bytes: Buffer) => `whsec_${bytes.toString('base64')}`;

beforeAll(async () => {
  receiver = await startReceiver();
  server = await startFunctionsServer([WorkerModule, EventsHttpModule, WebhooksHttpModule.with(Secrets)]);
  await setSecret('HOOK_KEY', whsec(key));
  await sql('create table public.orders (id bigint primary key, title text)');
  await sql('create table public.others (id bigint primary key)');
}, 60_000);
afterAll(async () => {
  await server.close();
  receiver.close();
});
beforeEach(() => {
  receiver.answer = (_request, response) => void response.writeHead(204).end();
});

const sql = (text: string) => server.project.database.query(text);
const setSecret = (name: string, value: string) => server.manage('POST', '/secrets', [{ name, value }]);
const orders = (name: string, change: Record<string, unknown> = {}) => ({
  name,
  url: `${receiver.url}/${name}`,
  event: 'row.inserted',
  table: 'public.orders',
  secret: 'HOOK_KEY',
  ...change,
});
/** Makes one and takes all others away, so that a test has its own alone. */
const only = async (name: string, change: Record<string, unknown> = {}) => {
  const { body } = await server.manage('GET', '/webhooks');
  for (const { name: other } of body as unknown as { name: string }[]) {
    await server.manage('DELETE', `/webhooks/${other}`);
  }
  const made = await server.manage('POST', '/webhooks', orders(name, change));
  if (made.status !== 201) throw new Error(JSON.stringify(made.body));
  return made.body;
};
let lastId = 0;
const insertOrder = () => sql(`insert into public.orders values (${++lastId}, 'a')`);
const arrived = (name: string, count = 1) =>
  eventually(() => receiver.at(`/${name}`).length >= count && receiver.at(`/${name}`));
interface DeliveryJson {
  id: string;
  state: string;
  attempts: number;
  last_error: string | null;
}
const deliveries = async (name: string) => {
  const { body } = await server.manage('GET', `/deliveries?function=webhook.${name}`);
  return body as unknown as DeliveryJson[];
};
const delivered = (name: string, is: Partial<DeliveryJson>, within = 15_000) =>
  eventually(
    async () =>
      (await deliveries(name)).find((one) =>
        Object.entries(is).every(([field, value]) => one[field as keyof DeliveryJson] === value),
      ),
    { within },
  );
const triggersOn = async (table: string) => {
  const text = `select from pg_trigger where tgname = 'galley_row_changes' and tgrelid = '${table}'::regclass`;
  return (await sql(text)).rows.length;
};
/** As a receiver does by the rules of Standard Webhooks. */
const isSigned = ({ headers, body }: Received, by: Buffer) => {
  const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signatures } = headers;
  const expected = createHmac('sha256', by)
    .update(`${String(id)}.${String(at)}.${body}`)
    .digest('base64');
  const isNow = Math.abs(Date.now() / 1000 - Number(at)) < 60;
  return isNow && String(signatures).split(' ').includes(`v1,${expected}`);
};

describe('a webhook', () => {
  it('is told of an event as functions are, signed', async () => {
    await only('plain');
    await sql(`insert into public.orders values (9007199254740993, 'a')`);
    const [request] = await arrived('plain');
    expect(request!.method).toBe('POST');
    expect(JSON.parse(request!.body)).toMatchObject({
      type: 'INSERT',
      schema: 'public',
      table: 'orders',
      record: { title: 'a' },
      old_record: null,
    });
    expect(request!.body).toContain('9007199254740993');
    const delivery = await delivered('plain', { state: 'succeeded' });
    expect(request!.headers).toMatchObject({
      host: new URL(receiver.url).host,
      'content-type': 'application/json',
      'ce-specversion': '1.0',
      'ce-type': 'row.inserted',
      'ce-source': '/projects/local',
      'webhook-id': delivery.id,
    });
    expect(request!.headers).not.toHaveProperty('authorization');
    expect(isSigned(request!, key)).toBe(true);
    expect(isSigned({ ...request!, body: `${request!.body} ` }, key)).toBe(false);
  });

  it('is told of what it subscribes to alone', async () => {
    await only('some', { event: 'row.updated' });
    await insertOrder();
    await sql(`update public.orders set title = 'b' where id = ${lastId}`);
    await sql('insert into public.others values (1)');
    await arrived('some');
    const events = (await deliveries('some')).length;
    expect(events).toBe(1);
    await server.manage('PATCH', '/webhooks/some', { event: 'row.deleted', table: 'public.others' });
    await sql('delete from public.others');
    const [, deletion] = await arrived('some', 2);
    expect(JSON.parse(deletion!.body)).toMatchObject({ type: 'DELETE', table: 'others' });
    expect([await triggersOn('public.orders'), await triggersOn('public.others')]).toEqual([0, 1]);
  });

  it('is told of the changes of columns and of the rows that it asks for', async () => {
    const made = await only('filtered', {
      event: 'row.updated',
      columns: ['title'],
      when: { title: 'like.b*', id: 'gt.0' },
    });
    expect(made).toMatchObject({ columns: ['title'], when: { title: 'like.b*', id: 'gt.0' } });
    await insertOrder();
    for (const title of ['c', 'b1', 'b1', 'b2']) {
      await sql(`update public.orders set title = '${title}' where id = ${lastId}`);
    }
    const bodies = (await arrived('filtered', 2)).map(({ body }) => JSON.parse(body).record.title as string);
    expect(bodies.toSorted()).toEqual(['b1', 'b2']);
    await server.manage('PATCH', '/webhooks/filtered', { columns: null, when: { title: 'eq.c' } });
    await sql(`update public.orders set title = 'c' where id = ${lastId}`);
    const [, , last] = await arrived('filtered', 3);
    expect(JSON.parse(last!.body)).toMatchObject({ record: { title: 'c' } });
    expect(await deliveries('filtered')).toHaveLength(3);
  });

  it('is told of each event again until it takes it, under the same id, after what Retry-After asks', async () => {
    const answers = [500, 302, 429, 200];
    receiver.answer = (_request, response) => {
      const status = answers.shift() ?? 200;
      response.writeHead(status, {
        location: `${receiver.url}/followed`,
        ...(status === 429 && { 'retry-after': '2' }),
      });
      response.end('not now');
    };
    await only('retried');
    await insertOrder();
    const requests = await arrived('retried', 4);
    expect(new Set(requests.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(requests.map(({ headers }) => headers['ce-galleyattempt'])).toEqual(['1', '2', '3', '4']);
    expect(requests.every((request) => isSigned(request, key))).toBe(true);
    const [third, fourth] = requests.slice(2).map(({ headers }) => Number(headers['webhook-timestamp']));
    expect(fourth! - third!).toBeGreaterThanOrEqual(1);
    expect(receiver.at('/followed')).toEqual([]);
    expect(await delivered('retried', { state: 'succeeded' })).toMatchObject({ attempts: 4 });
  });

  it('has dead letters, which are told again when that is asked', async () => {
    receiver.answer = (_request, response) => response.writeHead(500).end('oh\0no');
    await only('broken', { attempts: 1 });
    await insertOrder();
    const { id, last_error: error } = await delivered('broken', { state: 'dead' });
    expect(error).toBe('It answered 500: ohno');
    receiver.answer = (_request, response) => void response.end();
    expect((await server.manage('POST', `/deliveries/${id}/redrive`)).status).toBe(202);
    await delivered('broken', { state: 'succeeded' });
  });

  it('is signed with both keys while one replaces the other', async () => {
    await setSecret('TURNING', `${whsec(otherKey)} ${whsec(key)}`);
    await only('turning', { secret: 'TURNING' });
    await insertOrder();
    const [request] = await arrived('turning');
    expect([isSigned(request!, key), isSigned(request!, otherKey)]).toEqual([true, true]);
    await setSecret('TURNING', whsec(otherKey));
    await insertOrder();
    const [, next] = await arrived('turning', 2);
    expect([isSigned(next!, key), isSigned(next!, otherKey)]).toEqual([false, true]);
  });

  it('waits for its secret when that was taken away, and is never told unsigned', async () => {
    await setSecret('LOST', whsec(key));
    await only('lost', { secret: 'LOST' });
    await server.manage('DELETE', '/secrets', ['LOST']);
    await insertOrder();
    await eventually(async () =>
      (await deliveries('lost')).some(({ last_error: error }) => error?.includes('LOST')),
    );
    expect(receiver.at('/lost')).toEqual([]);
    // It is no function that was deleted.
    expect(await endDeliveriesToNobody(server.platform.database, 0)).toBe(0);
    await setSecret('LOST', whsec(key));
    await arrived('lost');
  });

  it('that answers 410 is disabled, and told again once it is enabled', async () => {
    receiver.answer = (_request, response) => response.writeHead(410).end();
    await only('gone');
    await insertOrder();
    expect(await delivered('gone', { state: 'dead' })).toMatchObject({
      attempts: 1,
      last_error: 'It answered 410',
    });
    const { body } = await server.manage('GET', '/webhooks/gone');
    expect(body).toMatchObject({ enabled: false, disabled_reason: 'It answered 410 (Gone)' });
    expect(body['disabled_at']).toEqual(expect.any(String));
    expect(await triggersOn('public.orders')).toBe(0);
    // A change of something else does not enable it.
    await server.manage('PATCH', '/webhooks/gone', { attempts: 3 });
    await insertOrder();
    receiver.answer = (_request, response) => void response.end();
    const enabled = await server.manage('PATCH', '/webhooks/gone', { enabled: true });
    expect(enabled.body).toMatchObject({ enabled: true, disabled_reason: null, attempts: 3 });
    await insertOrder();
    await delivered('gone', { state: 'succeeded' });
    expect(receiver.at('/gone').map(({ body: text }) => JSON.parse(text).record.id)).toEqual([
      lastId - 2,
      lastId,
    ]);
  });

  it('ends with what is on its way to it', async () => {
    receiver.answer = (_request, response) => response.writeHead(503, { 'retry-after': '1' }).end();
    await only('ending');
    await insertOrder();
    await arrived('ending');
    expect((await server.manage('DELETE', '/webhooks/ending')).status).toBe(200);
    expect(await delivered('ending', { state: 'dead' })).toMatchObject({
      last_error: 'There is no webhook ending',
    });
  });

  it('that is slow delays no other', async () => {
    await only('quick');
    await server.manage('POST', '/webhooks', orders('slow'));
    receiver.answer = ({ path }, response) => {
      if (path !== '/slow') response.end();
    };
    for (let n = 0; n < 15; n += 1) await insertOrder();
    await arrived('quick', 15);
    await arrived('slow', 1);
    const answered = (await deliveries('slow')).filter(({ state }) => state === 'succeeded');
    expect(answered).toEqual([]);
    await server.manage('DELETE', '/webhooks/slow');
  });

  it('that answers without an end has answered', async () => {
    receiver.answer = (_request, response) => {
      const write = () => {
        while (!response.destroyed && response.write(Buffer.alloc(64 * 1024)));
      };
      response.on('drain', write);
      write();
    };
    await only('endless');
    await insertOrder();
    await delivered('endless', { state: 'succeeded' });
  });

  it('whose name leads to a private address is not reached', async () => {
    await only('inside', { url: 'http://localhost:1/', attempts: 1 });
    await insertOrder();
    const { last_error: error } = await delivered('inside', { state: 'dead' });
    expect(error).toMatch(/^(no_address|address_refused): localhost/);
  });
});

describe('the management of webhooks', () => {
  it('lists, finds, changes and deletes them', async () => {
    await only('first', { event: 'object.created', table: undefined, bucket: 'avatars', prefix: 'ann/' });
    const { body: list } = await server.manage('GET', '/webhooks');
    expect(list).toEqual([
      {
        name: 'first',
        url: `${receiver.url}/first`,
        event: 'object.created',
        bucket: 'avatars',
        prefix: 'ann/',
        secret: 'HOOK_KEY',
        attempts: 15,
        enabled: true,
        disabled_reason: null,
        disabled_at: null,
        created_at: expect.any(String),
        updated_at: expect.any(String),
      },
    ]);
    expect(JSON.stringify(list)).not.toContain(key.toString('base64'));
    const changed = await server.manage('PATCH', '/webhooks/first', {
      prefix: null,
      url: `${receiver.url}/2nd`,
    });
    expect(changed.body).toMatchObject({ bucket: 'avatars', url: `${receiver.url}/2nd` });
    expect(changed.body).not.toHaveProperty('prefix');
    const off = await server.manage('PATCH', '/webhooks/first', { enabled: false });
    expect(off.body).toMatchObject({ enabled: false, disabled_reason: 'It was switched off' });
    expect((await server.manage('DELETE', '/webhooks/first')).status).toBe(200);
    for (const [method, body] of [['GET'], ['PATCH', {}], ['DELETE']] as const) {
      expect((await server.manage(method, '/webhooks/first', body)).status).toBe(404);
    }
  });

  it.each([
    ['of the same name', {}, 409, 'webhook_exists'],
    ['without a URL', { name: 'x', url: undefined }, 400, 'url'],
    ['that is a file', { name: 'x', url: 'file:///etc/passwd' }, 400, 'url'],
    ['with a password', { name: 'x', url: 'https://me:secret@example.com' }, 400, 'url'],
    ['at a private address', { name: 'x', url: 'http://10.0.0.5/' }, 400, 'GALLEY_PRIVATE_HOSTS'],
    ['where clouds keep credentials', { name: 'x', url: 'http://169.254.169.254/' }, 400, 'public'],
    ['in IPv6 that is IPv4', { name: 'x', url: 'http://[::ffff:10.0.0.5]/' }, 400, 'public'],
    ['in another spelling', { name: 'x', url: 'http://0x0a000005/' }, 400, 'public'],
    ['of an event that there is not', { name: 'x', event: 'row.moved' }, 400, 'row.inserted'],
    ['of what became of deliveries', { name: 'x', event: 'function.failed' }, 400, 'row.inserted'],
    ['of a filter that the event has not', { name: 'x', bucket: 'b' }, 400, 'has no bucket'],
    ['of rows of no table', { name: 'x', table: undefined }, 400, 'schema.table'],
    ['of a table that there is not', { name: 'x', table: 'public.nothing' }, 400, 'public.nothing'],
    [
      'of a column that there is not',
      { name: 'x', event: 'row.updated', columns: ['nope'] },
      400,
      'no column',
    ],
    ['of a condition that is none', { name: 'x', when: { title: 'paid' } }, 400, 'when.title'],
    ['of a condition on no such column', { name: 'x', when: { nope: 'eq.1' } }, 400, 'no column'],
    ['of a number that is none', { name: 'x', when: { id: 'gt.many' } }, 400, 'a number'],
    ['of changed columns of new rows', { name: 'x', columns: ['title'] }, 400, 'has no columns'],
    ['of a table with secrets', { name: 'x', table: 'auth.users' }, 400, 'platform'],
    ['with a secret that is not set', { name: 'x', secret: 'NOT_SET' }, 400, 'galley secrets set'],
    ['with a secret that is no key', { name: 'x', secret: 'NO_KEY' }, 400, 'whsec_'],
    ['with a name that is none', { name: 'a/b' }, 400, 'name'],
    ['with something else', { name: 'x', color: 'red' }, 400, 'color'],
    ['with too many attempts', { name: 'x', attempts: 21 }, 400, 'attempts'],
  ])('refuses one %s', async (_what, change, status, words) => {
    await only('taken');
    await setSecret('NO_KEY', 'a value that is secret');
    const { status: answered, body } = await server.manage('POST', '/webhooks', orders('taken', change));
    expect(answered).toBe(status);
    expect(JSON.stringify(body)).toContain(words);
    expect(JSON.stringify(body)).not.toContain('a value that is secret');
    const { body: list } = await server.manage('GET', '/webhooks');
    expect((list as unknown as { name: string }[]).map(({ name }) => name)).toEqual(['taken']);
  });

  it('keeps the name of one', async () => {
    await only('named');
    expect((await server.manage('PATCH', '/webhooks/named', { name: 'other' })).status).toBe(400);
  });

  it('is not for people', async () => {
    const { publishableKey } = server.keys;
    const response = await fetch(`${server.url}/v1/projects/local/webhooks`, {
      headers: { authorization: `Bearer ${publishableKey}` },
    });
    expect(response.status).toBe(403);
  });
});
