import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { key, startWebhooksServer, type WebhooksServer } from './webhooks-server.js';

let server: WebhooksServer;
beforeAll(async () => {
  server = await startWebhooksServer();
});
afterAll(() => server.close());

describe('the management of webhooks', () => {
  it('lists, finds, changes and deletes them', async () => {
    await server.only('first', {
      event: 'object.created',
      table: undefined,
      bucket: 'avatars',
      prefix: 'ann/',
    });
    const { body: list } = await server.manage('GET', '/webhooks');
    expect(list).toEqual([
      {
        name: 'first',
        url: `${server.receiver.url}/first`,
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
      url: `${server.receiver.url}/2nd`,
    });
    expect(changed.body).toMatchObject({ bucket: 'avatars', url: `${server.receiver.url}/2nd` });
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
    await server.only('taken');
    await server.setSecret('NO_KEY', 'a value that is secret');
    const { status: answered, body } = await server.manage(
      'POST',
      '/webhooks',
      server.orders('taken', change),
    );
    expect(answered).toBe(status);
    expect(JSON.stringify(body)).toContain(words);
    expect(JSON.stringify(body)).not.toContain('a value that is secret');
    const { body: list } = await server.manage('GET', '/webhooks');
    expect((list as unknown as { name: string }[]).map(({ name }) => name)).toEqual(['taken']);
  });

  it('keeps the name of one', async () => {
    await server.only('named');
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
