import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { UsageLedger } from '#libs/usage';
import { ann, ben, startShop, type Shop } from './shop.js';

let shop: Shop;
beforeAll(async () => {
  shop = await startShop();
});
beforeEach(() =>
  shop.project.database.query(`
    truncate orders, order_lines restart identity; truncate archive.orders;
    update stock set pieces = 10;`),
);
afterAll(() => shop.close());

const representation = { prefer: 'return=representation' };
const newOrder = (body: object = { note: 'by noon' }) => ({
  method: 'POST',
  path: '/orders?select=id',
  headers: representation,
  body,
});
const told = (name: string) => ({ path: `/rpc/told?name=${name}` });
const bodies = (responses: readonly { body: unknown }[]) => responses.map(({ body }) => body);

describe('a batch', () => {
  it('does its requests in turn, each with what those before it were answered', async () => {
    const responses = await shop.batch([
      { id: 'order', ...newOrder() },
      {
        method: 'POST',
        path: '/order_lines',
        body: [
          { order_id: { $ref: '/order/0/id' }, product: 'bread', pieces: 2 },
          { order_id: { $ref: '/0/0/id' }, product: 'milk', pieces: 1 },
        ],
      },
      { path: '/orders?id=eq.${/order/0/id}&select=note,order_lines(product,pieces)' },
    ]);
    const lines = [
      { product: 'bread', pieces: 2 },
      { product: 'milk', pieces: 1 },
    ];
    expect(responses).toEqual([
      { id: 'order', status: 201, headers: expect.any(Object), body: [{ id: 1 }] },
      { status: 201, headers: expect.any(Object), body: null },
      { status: 200, headers: expect.any(Object), body: [{ note: 'by noon', order_lines: lines }] },
    ]);
    expect(await shop.count('order_lines')).toBe(2);
  });

  it('answers each request with the headers that it would have by itself', async () => {
    const alone = await shop.ask('stock?select=product&order=product&limit=2');
    const [together] = await shop.batch([{ path: '/stock?select=product&order=product&limit=2' }]);
    expect(together!.body).toEqual(await alone.json());
    for (const [name, value] of Object.entries(together!.headers))
      expect(alone.headers.get(name)).toBe(value);
    expect(together!.headers).toMatchObject({
      'content-range': '0-1/*',
      'content-location': '/stock?limit=2&order=product&select=product',
    });
  });

  it('is undone as a whole by the first request that fails, and says which one that was', async () => {
    const line = { method: 'POST', path: '/order_lines', id: 'line' };
    const wrong = { ...line, body: { order_id: { $ref: '/0/0/id' }, pieces: 0 } };
    const { status, body } = await shop.refusal([newOrder(), wrong, { path: '/stock' }]);
    expect(status).toBe(400);
    expect(body).toEqual({
      code: '23514',
      message: 'new row for relation "order_lines" violates check constraint "order_lines_pieces_check"',
      details: null,
      hint: null,
      request: { index: 1, id: 'line' },
    });
    expect([await shop.count('orders'), await shop.count('order_lines')]).toEqual([0, 0]);
  });

  it.each([
    ['a table that is not there', { path: '/ordes' }],
    ['a method that is none of a function', { path: '/rpc/told', method: 'DELETE' }],
    ['a filter that is none', { path: '/stock?pieces=more.5' }],
    ['a body that does not fit', { path: '/stock', method: 'POST', body: [{ a: 1 }, { b: 1 }] }],
    ['more rows than one', { path: '/stock', headers: { accept: 'application/vnd.pgrst.object+json' } }],
    ['no row in the range', { path: '/stock?offset=50', headers: { prefer: 'count=exact' } }],
    ['a path into the depth', { path: '/rest/v1/stock' }],
  ])(
    'answers %s as the request alone',
    async (_, request: { path: string; method?: string; body?: object; headers?: object }) => {
      const { path, method = 'GET', body, headers } = request;
      const alone = await shop.ask(path.slice(1), {
        method,
        headers: {
          apikey: shop.keys.publishableKey,
          authorization: `Bearer ${shop.project.tokens.sign({ role: 'authenticated', sub: ann }, 60)}`,
          'content-type': 'application/json',
          ...headers,
        },
        ...(body && { body: JSON.stringify(body) }),
      });
      const response = await shop.send({ requests: [{ path: '/stock' }, request] });
      expect(alone.status).toBeGreaterThanOrEqual(300);
      expect(response.status).toBe(alone.status);
      expect(response.headers.get('proxy-status')).toBe(alone.headers.get('proxy-status'));
      expect(await response.json()).toEqual({ ...((await alone.json()) as object), request: { index: 1 } });
    },
  );

  it('is the one transaction of one connection', async () => {
    const call = { method: 'POST', path: '/rpc/same_transaction', body: {} };
    const [first, second, third] = bodies(await shop.batch([call, { path: '/stock' }, call]));
    expect(third).toBe(first);
    expect(second).toHaveLength(3);
  });
});

describe('the rights in a batch', () => {
  it('are those of who asks', async () => {
    const [order] = await shop.batch([newOrder()]);
    expect(order!.body).toEqual([{ id: 1 }]);
    const asBen = [{ path: '/orders' }, { method: 'PATCH', path: '/orders?id=eq.1', body: { note: 'mine' } }];
    expect(bodies(await shop.batch(asBen, {}, ben))).toEqual([[], null]);
    const line = { method: 'POST', path: '/order_lines', body: { order_id: 1, pieces: 1 } };
    const response = await shop.send({ requests: [newOrder(), line] }, {}, ben);
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ code: '42501', request: { index: 1 } });
    expect(await shop.count('orders')).toBe(1);
  });

  it('cannot be changed by one of its requests', async () => {
    const roles = await shop.batch([told('role'), newOrder(), told('role'), told('request.jwt.claims')]);
    expect([roles[0]!.body, roles[2]!.body]).toEqual(['authenticated', 'authenticated']);
    expect(JSON.parse(roles[3]!.body)).toMatchObject({ sub: ann });
    const { keys } = shop;
    const headers = { apikey: keys.secretKey, authorization: `Bearer ${keys.secretKey}` };
    const { status, body } = await shop.refusal([{ path: '/orders', headers }]);
    expect([status, body]).toEqual([400, expect.objectContaining({ code: 'PGRST102' })]);
  });

  it('are none without a key', async () => {
    const response = await fetch(`${shop.url}/rest/v1/batch`, {
      method: 'POST',
      body: JSON.stringify({ requests: [{ path: '/stock' }] }),
    });
    expect(response.status).toBe(401);
  });
});

describe('reading in a batch', () => {
  it('cannot write where all requests read', async () => {
    const readOnly = await shop.batch([told('transaction_read_only'), { path: '/stock', method: 'HEAD' }]);
    expect(bodies(readOnly)).toEqual(['on', null]);
    const { status, body } = await shop.refusal([{ path: '/rpc/place_order?note=x' }]);
    expect([status, body]).toEqual([405, expect.objectContaining({ code: '25006' })]);
  });

  it('cannot write between requests that do', async () => {
    const name = 'transaction_read_only';
    const write = {
      method: 'PATCH',
      path: '/stock?product=eq.salt',
      headers: representation,
      body: { pieces: 1 },
    };
    const requests = [newOrder(), told(name), write, told(name), newOrder({}), told(name)];
    const responses = await shop.batch(requests);
    expect(bodies(responses)).toMatchObject([[{ id: 1 }], 'on', [{ pieces: 1 }], 'on', [{ id: 2 }], 'on']);
    const { status } = await shop.refusal([newOrder(), { path: '/rpc/place_order?note=x' }]);
    expect(status).toBe(405);
    expect(await shop.count('orders')).toBe(2);
  });
});

describe('preferences in a batch', () => {
  it('are those of each request', async () => {
    const [counted, merged, missing, minimal] = await shop.batch([
      { path: '/stock?limit=1', headers: { Prefer: 'count=exact' } },
      {
        method: 'POST',
        path: '/stock?select=product,pieces,tags',
        headers: { prefer: 'resolution=merge-duplicates, return=representation' },
        body: [{ product: 'salt', pieces: 3 }],
      },
      {
        method: 'POST',
        path: '/order_lines?columns=order_id,product,pieces',
        headers: { prefer: 'missing=default, return=representation' },
        body: [],
      },
      {
        method: 'PATCH',
        path: '/stock?product=eq.salt',
        headers: { prefer: 'return=minimal' },
        body: { pieces: 4 },
      },
    ]);
    expect(counted).toMatchObject({ status: 206, headers: { 'content-range': '0-0/3' } });
    expect(merged).toMatchObject({ status: 200, body: [{ product: 'salt', pieces: 3, tags: [] }] });
    expect(missing!.headers['preference-applied']).toContain('missing=default');
    expect(minimal).toMatchObject({ status: 204, body: null });
  });

  it('undo the batch where one of them is not kept to', async () => {
    const prefer = 'handling=strict, max-affected=2';
    const all = { method: 'PATCH', path: '/stock?pieces=gte.0', headers: { prefer }, body: { pieces: 0 } };
    expect(await shop.refusal([newOrder(), all])).toMatchObject({
      status: 400,
      body: { code: 'PGRST124', request: { index: 1 } },
    });
    expect(
      await shop.refusal([{ path: '/stock', headers: { prefer: 'handling=strict, odd' } }]),
    ).toMatchObject({
      body: { code: 'PGRST122' },
    });
    expect(await shop.count('orders')).toBe(0);
    expect(await shop.count('stock where pieces > 0')).toBe(3);
  });

  it('of time zones hold for their request', async () => {
    const inParis = { ...told('timezone'), headers: { prefer: 'timezone=Europe/Paris' } };
    const [first, second, third] = bodies(await shop.batch([told('timezone'), inParis, told('timezone')]));
    expect(second).toBe('Europe/Paris');
    expect(third).toBe(first);
  });

  it('say how it ends only of the whole, and only where the settings let them', async () => {
    const committed = await shop.send({ requests: [newOrder()] }, { prefer: 'tx=rollback' });
    expect(committed.headers.get('preference-applied')).toBeNull();
    expect(await shop.count('orders')).toBe(1);
    expect(await shop.refusal([{ path: '/stock', headers: { prefer: 'tx=rollback' } }])).toMatchObject({
      status: 400,
      body: { code: 'PGRST102', request: { index: 0 } },
    });
    const strict = await shop.send({ requests: [newOrder()] }, { prefer: 'handling=strict, odd' });
    expect([strict.status, await strict.json()]).toMatchObject([400, { code: 'PGRST122' }]);
    const free = await startShop({ PGRST_DB_TX_END: 'commit-allow-override' });
    try {
      const undone = await free.send({ requests: [newOrder()] }, { prefer: 'tx=rollback' });
      expect(undone.headers.get('preference-applied')).toBe('tx=rollback');
      expect(await undone.json()).toMatchObject({ responses: [{ status: 201, body: [{ id: 1 }] }] });
      expect(await free.count('orders')).toBe(0);
      expect((await free.send({ requests: [newOrder()] })).status).toBe(200);
      expect(await free.count('orders')).toBe(1);
    } finally {
      await free.close();
    }
  });
});

describe('what a batch leads to', () => {
  it('is told as events only when all of it is done', async () => {
    const { database } = shop.project;
    await database.query(`
      create trigger told after insert on orders for each row execute function galley.append_row_change()`);
    try {
      await shop.refusal([newOrder(), { path: '/nothing' }]);
      expect(await shop.count('galley.outbox')).toBe(0);
      await shop.batch([newOrder(), newOrder()]);
      expect(await shop.count('galley.outbox')).toBe(2);
    } finally {
      await database.query('drop trigger told on orders');
    }
  });

  it('is counted: the rows of all requests when they are done, and none of what was undone', async () => {
    const meters = async () => {
      await shop.get(UsageLedger).flush();
      const { rows } = await shop.platform.database.query<{ meter: string; amount: number }>(
        `select meter, sum(amount)::float8 as amount from meter_hours where meter like 'rows%' group by meter`,
      );
      return Object.fromEntries(rows.map(({ meter, amount }) => [meter, amount]));
    };
    const before = await meters();
    await shop.refusal([{ path: '/stock' }, newOrder(), { path: '/nothing' }]);
    expect(await meters()).toEqual(before);
    await shop.batch([{ path: '/stock' }, newOrder(), { path: '/stock?limit=2' }]);
    expect(await meters()).toEqual({
      rows_read: (before['rows_read'] ?? 0) + 5,
      rows_written: (before['rows_written'] ?? 0) + 1,
    });
  });
});
