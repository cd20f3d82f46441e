import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createHmac, randomBytes } from 'node:crypto';
import { endDeliveriesToNobody } from '#libs/events';
import { eventually } from '../support/eventually.js';
import type { Received } from './receiver.js';
import { key, startWebhooksServer, whsec, type WebhooksServer } from './webhooks-server.js';

let server: WebhooksServer;
const otherKey = randomBytes(24);

beforeAll(async () => {
  server = await startWebhooksServer();
});
afterAll(() => server.close());
beforeEach(() => {
  server.receiver.answer = (_request, response) => void response.writeHead(204).end();
});

const sql = (text: string) => server.project.database.query(text);
let lastId = 0;
const insertOrder = () => sql(`insert into public.orders values (${++lastId}, 'a')`);
const arrived = (name: string, count = 1) =>
  eventually(() => server.receiver.at(`/${name}`).length >= count && server.receiver.at(`/${name}`));
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
    await server.only('plain');
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
      host: new URL(server.receiver.url).host,
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
    await server.only('some', { event: 'row.updated' });
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
    const made = await server.only('filtered', {
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
    server.receiver.answer = (_request, response) => {
      const status = answers.shift() ?? 200;
      response.writeHead(status, {
        location: `${server.receiver.url}/followed`,
        ...(status === 429 && { 'retry-after': '2' }),
      });
      response.end('not now');
    };
    await server.only('retried');
    await insertOrder();
    const requests = await arrived('retried', 4);
    expect(new Set(requests.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(requests.map(({ headers }) => headers['ce-galleyattempt'])).toEqual(['1', '2', '3', '4']);
    expect(requests.every((request) => isSigned(request, key))).toBe(true);
    const [third, fourth] = requests.slice(2).map(({ headers }) => Number(headers['webhook-timestamp']));
    expect(fourth! - third!).toBeGreaterThanOrEqual(1);
    expect(server.receiver.at('/followed')).toEqual([]);
    expect(await delivered('retried', { state: 'succeeded' })).toMatchObject({ attempts: 4 });
  });

  it('has dead letters, which are told again when that is asked', async () => {
    server.receiver.answer = (_request, response) => response.writeHead(500).end('oh\0no');
    await server.only('broken', { attempts: 1 });
    await insertOrder();
    const { id, last_error: error } = await delivered('broken', { state: 'dead' });
    expect(error).toBe('It answered 500: ohno');
    server.receiver.answer = (_request, response) => void response.end();
    expect((await server.manage('POST', `/deliveries/${id}/redrive`)).status).toBe(202);
    await delivered('broken', { state: 'succeeded' });
  });

  it('is signed with both keys while one replaces the other', async () => {
    await server.setSecret('TURNING', `${whsec(otherKey)} ${whsec(key)}`);
    await server.only('turning', { secret: 'TURNING' });
    await insertOrder();
    const [request] = await arrived('turning');
    expect([isSigned(request!, key), isSigned(request!, otherKey)]).toEqual([true, true]);
    await server.setSecret('TURNING', whsec(otherKey));
    await insertOrder();
    const [, next] = await arrived('turning', 2);
    expect([isSigned(next!, key), isSigned(next!, otherKey)]).toEqual([false, true]);
  });

  it('waits for its secret when that was taken away, and is never told unsigned', async () => {
    await server.setSecret('LOST', whsec(key));
    await server.only('lost', { secret: 'LOST' });
    await server.manage('DELETE', '/secrets', ['LOST']);
    await insertOrder();
    await eventually(async () =>
      (await deliveries('lost')).some(({ last_error: error }) => error?.includes('LOST')),
    );
    expect(server.receiver.at('/lost')).toEqual([]);
    // It is no function that was deleted.
    expect(await endDeliveriesToNobody(server.platform.database, 0)).toBe(0);
    await server.setSecret('LOST', whsec(key));
    await arrived('lost');
  });

  it('that answers 410 is disabled, and told again once it is enabled', async () => {
    server.receiver.answer = (_request, response) => response.writeHead(410).end();
    await server.only('gone');
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
    server.receiver.answer = (_request, response) => void response.end();
    const enabled = await server.manage('PATCH', '/webhooks/gone', { enabled: true });
    expect(enabled.body).toMatchObject({ enabled: true, disabled_reason: null, attempts: 3 });
    await insertOrder();
    await delivered('gone', { state: 'succeeded' });
    expect(server.receiver.at('/gone').map(({ body: text }) => JSON.parse(text).record.id)).toEqual([
      lastId - 2,
      lastId,
    ]);
  });

  it('ends with what is on its way to it', async () => {
    server.receiver.answer = (_request, response) => response.writeHead(503, { 'retry-after': '1' }).end();
    await server.only('ending');
    await insertOrder();
    await arrived('ending');
    expect((await server.manage('DELETE', '/webhooks/ending')).status).toBe(200);
    expect(await delivered('ending', { state: 'dead' })).toMatchObject({
      last_error: 'There is no webhook ending',
    });
  });

  it('that is slow delays no other', async () => {
    await server.only('quick');
    await server.manage('POST', '/webhooks', server.orders('slow'));
    server.receiver.answer = ({ path }, response) => {
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
    server.receiver.answer = (_request, response) => {
      const write = () => {
        while (!response.destroyed && response.write(Buffer.alloc(64 * 1024)));
      };
      response.on('drain', write);
      write();
    };
    await server.only('endless');
    await insertOrder();
    await delivered('endless', { state: 'succeeded' });
  });

  it('whose name leads to a private address is not reached', async () => {
    await server.only('inside', { url: 'http://localhost:1/', attempts: 1 });
    await insertOrder();
    const { last_error: error } = await delivered('inside', { state: 'dead' });
    expect(error).toMatch(/^(no_address|address_refused): localhost/);
  });
});
