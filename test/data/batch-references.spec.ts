import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startShop, type Asked, type Shop } from './shop.js';

let shop: Shop;
beforeAll(async () => {
  shop = await startShop();
});
beforeEach(() => shop.project.database.query('truncate orders, order_lines restart identity'));
afterAll(() => shop.close());

const representation = { prefer: 'return=representation' };
const stock = { id: 'stock', path: '/stock?order=product' };
const insert = (body: unknown, more: Partial<Asked> = {}): Asked => ({
  method: 'POST',
  path: '/orders',
  headers: representation,
  body,
  ...more,
});
const last = async (requests: readonly Asked[]): Promise<unknown> =>
  (await shop.batch(requests)).at(-1)!.body;

describe('a reference in a body', () => {
  it('has the type of what it points at', async () => {
    const info = { list: [1, 'two', null], deep: { yes: true }, number: 0.5, $ref: '/not/one', more: 1 };
    const [, copy] = await shop.batch([
      insert({ note: 'a "note"', info }),
      insert({
        note: { $ref: '/0/0/note' },
        info: { all: { $ref: '/0/0/info' }, none: { $ref: '/0/0/info/list/2' } },
      }),
    ]);
    expect(copy!.body).toMatchObject([{ note: 'a "note"', info: { all: info, none: null } }]);
  });

  it('keeps numbers that JavaScript cannot hold', async () => {
    const id = '9007199254740993';
    const text = `{"requests": [
      {"method": "POST", "path": "/orders?select=id", "headers": {"prefer": "return=representation"}, "body": {"id": ${id}}},
      {"method": "POST", "path": "/order_lines", "body": {"order_id": {"$ref": "/0/0/id"}, "pieces": 1}},
      {"path": "/order_lines?order_id=eq.\${/0/0/id}&select=order_id"}]}`;
    const response = await shop.send(text);
    expect(await response.text()).toContain(`"body":[{"order_id":${id}}]`);
    expect(await shop.count(`order_lines where order_id = ${id}`)).toBe(1);
  });

  it('may stand for a row, for all rows, and for what a function answered', async () => {
    const responses = await shop.batch([
      { method: 'POST', path: '/rpc/place_order', body: { note: 'one', info: { n: 1 } } },
      { method: 'POST', path: '/rpc/place_order', body: { note: 'two', info: { $ref: '/0/info' } } },
      insert([{ id: 50, note: 'x' }]),
      { method: 'DELETE', path: '/orders?note=eq.${/2/0/note}', headers: representation },
      insert({ $ref: '/3' }),
      insert({ $ref: '/1' }, { headers: { prefer: 'resolution=merge-duplicates,return=representation' } }),
    ]);
    expect(responses[4]!.body).toEqual(responses[2]!.body);
    expect(responses[5]!.body).toMatchObject([{ note: 'two', info: { n: 1 } }]);
    expect(await shop.count('orders')).toBe(3);
  });

  it('has a literal that looks like it', async () => {
    const body = await last([insert({ info: { $$ref: '/0/0' } })]);
    expect(body).toMatchObject([{ info: { $ref: '/0/0' } }]);
  });
});

describe('a reference in a path', () => {
  it.each([
    ['/stock?product=eq.${/stock/0/product}', ['bread']],
    ['/stock?product=in.(${/stock/0/product},${/stock/2/product})', ['bread', 'salt']],
    ['/stock?product=not.eq.${/stock/1/product}', ['bread', 'salt']],
    [
      '/stock?or=(product.eq.${/stock/0/product},and(product.eq.${/stock/1/product},pieces.gt.0))',
      ['bread', 'milk'],
    ],
    ['/stock?tags=eq.{${/stock/1/tags}}', ['milk']],
    ['/stock?tags=cs.{${/stock/1/tags/0}}', ['milk']],
    ['/stock?product=like.*${/stock/0/product}*', ['bread']],
    ['/stock?product=like(any).{${/stock/0/product},s*}', ['bread', 'salt']],
    ['/stock?pieces=gte.${/stock/0/pieces}', ['bread']],
    ['/stock?product=isdistinct.${/stock/0/product}', ['milk', 'salt']],
  ])('is the value of a filter: %s', async (path, products) => {
    const body = await last([stock, { path: `${path}&select=product&order=product` }]);
    expect(body).toEqual(products.map((product) => ({ product })));
  });

  it('is an argument of a function, and of an embedded table', async () => {
    expect(await last([insert({ note: 'role' }), { path: '/rpc/told?name=${/0/0/note}' }])).toBe(
      'authenticated',
    );
    const read = await last([
      insert([{ id: 101 }, { id: 102 }]),
      insert(
        [1, 2].map((n) => ({ order_id: { $ref: `/0/${n - 1}/id` }, product: `${n}`, pieces: n })),
        {
          path: '/order_lines',
        },
      ),
      {
        path: '/orders?select=id,order_lines(pieces)&order_lines.product=eq.${/1/1/product}&id=in.(${/0/1/id})',
      },
    ]);
    expect(read).toEqual([{ id: 102, order_lines: [{ pieces: 2 }] }]);
  });

  it('chooses what is changed and deleted', async () => {
    await shop.batch([
      insert([{ note: 'a' }, { note: 'b' }]),
      { method: 'PATCH', path: '/orders?id=eq.${/0/0/id}', body: { note: { $ref: '/0/1/note' } } },
      { method: 'DELETE', path: '/orders?id=eq.${/0/1/id}' },
    ]);
    expect(await (await shop.ask('orders?select=id,note')).json()).toEqual([{ id: 1, note: 'b' }]);
  });

  it.each([
    'a&id=gt.0',
    'a),or(id.gt.0',
    'x","y',
    '"\\',
    '%26id=gt.0',
    '*',
    "'; drop table orders; --",
    '${/0/0/id}',
    'eq.a',
    '{a,b}',
    ' ü€😀\n\t',
  ])('is nothing but its value: %j', async (note) => {
    const marked = [{ note }, { note: 'other' }, { note: 'a' }];
    for (const filter of [
      'note=eq.${/0/0/note}',
      'note=in.(${/0/0/note})',
      'or=(note.eq.${/0/0/note},id.lt.0)',
    ]) {
      await shop.project.database.query('truncate orders, order_lines');
      const found = await last([insert(marked), { path: `/orders?${filter}&select=note` }]);
      expect([filter, found]).toEqual([filter, [{ note }]]);
    }
  });

  it('can be written as text', async () => {
    expect(await last([insert({ note: '${/0}' }), { path: '/orders?note=eq.%24{/0}&select=note' }])).toEqual([
      { note: '${/0}' },
    ]);
  });
});

describe('a wrong reference', () => {
  const at = (pointer: string, path = '/stock?pieces=eq.${POINTER}') => [
    stock,
    { id: 'it', path: path.replace('POINTER', pointer) },
  ];

  it.each([
    ['to a later request', [{ path: '/stock?pieces=eq.${/1/0/pieces}' }, stock], 0],
    ['to itself', [{ id: 'it', path: '/stock?pieces=eq.${/it/0/pieces}' }], 0],
    ['to no request', at('/stack/0/pieces'), 1],
    ['that is no pointer', at('stock.0.pieces'), 1],
    ['in the name of a table', at('/stock/0/product', '/${POINTER}'), 1],
    ['in a column', at('/stock/0/product', '/stock?${POINTER}=eq.1'), 1],
    ['in what is selected', at('/stock/0/product', '/stock?select=${POINTER}'), 1],
    ['in a limit', at('/stock/0/pieces', '/stock?limit=${POINTER}'), 1],
    ['in an order', at('/stock/0/product', '/stock?order=${POINTER}'), 1],
  ])('%s is refused before anything is done', async (_, requests, index) => {
    const { status, body } = await shop.refusal(requests);
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: expect.stringMatching(/^PGRST10[02]$/), request: { index } });
  });

  it.each([
    ['to a row that is not there', '/stock/7/pieces'],
    ['to a column that is not there', '/stock/0/price'],
    ['to what every object has', '/stock/0/__proto__'],
    ['to what every list has', '/stock/length'],
  ])('%s undoes the batch', async (_, pointer) => {
    for (const request of [
      { path: `/stock?pieces=eq.\${${pointer}}` },
      insert({ info: { $ref: pointer } }),
    ]) {
      expect(await shop.refusal([stock, insert({}), request])).toEqual({
        status: 400,
        body: {
          code: 'PGRST102',
          message: `"${pointer}" is not in the response that it refers to`,
          details: null,
          hint: expect.any(String),
          request: { index: 2 },
        },
      });
    }
    expect(await shop.count('orders')).toBe(0);
  });

  it('to null is none in a path, which cannot say it', async () => {
    const requests = [insert({ note: null }), { path: '/orders?note=eq.${/0/0/note}' }];
    expect(await shop.refusal(requests)).toMatchObject({
      status: 400,
      body: {
        code: 'PGRST102',
        message: '"/0/0/note" is null, which no path can say',
        request: { index: 1 },
      },
    });
  });
});
