import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { limits } from '../../libs/data/src/limits.js';
import { eventually } from '../support/eventually.js';
import { ann, startShop, type Shop } from './shop.js';

let shop: Shop;
beforeAll(async () => {
  shop = await startShop();
});
beforeEach(() =>
  shop.project.database.query(`truncate orders, order_lines restart identity; update stock set pieces = 10;`),
);
afterEach(() => void jest.restoreAllMocks());
afterAll(() => shop.close());

const order = { method: 'POST', path: '/orders', body: { note: 'x' } };
const gate = { method: 'POST', path: '/rpc/gate', body: {} };
const setPieces = (product: string, pieces: number) => ({
  method: 'PATCH',
  path: `/stock?product=eq.${product}`,
  body: { pieces },
});
const answerOf = async (sent: Promise<Response>) => {
  const response = await sent;
  return { status: response.status, body: (await response.json()) as object };
};

describe('a batch that meets another', () => {
  it('at what each of them holds is undone as one of the two, and the other is done', async () => {
    const { reached, open } = await shop.closeGate();
    const both = [
      answerOf(shop.send({ requests: [setPieces('milk', 1), gate, setPieces('salt', 1)] })),
      answerOf(shop.send({ requests: [setPieces('salt', 2), gate, setPieces('milk', 2)] })),
    ];
    await reached(2);
    await open();
    const answers = await Promise.all(both);
    const failed = answers.filter(({ status }) => status !== 200);
    expect(failed).toEqual([
      {
        status: 500,
        body: expect.objectContaining({ code: '40P01', message: 'deadlock detected', request: { index: 2 } }),
      },
    ]);
    const winner = answers.findIndex(({ status }) => status === 200) + 1;
    expect(await shop.count(`stock where pieces = ${winner} and product in ('milk', 'salt')`)).toBe(2);
  });

  it('at a row that it has read is told so, where its role is isolated', async () => {
    const { database } = shop.project;
    const name = 'default_transaction_isolation';
    await shop.alterRole(`set ${name} = 'repeatable read'`, 'transaction_isolation', 'repeatable read');
    try {
      const { reached, open } = await shop.closeGate();
      const late = answerOf(shop.send({ requests: [{ path: '/stock' }, order, gate, setPieces('milk', 4)] }));
      await reached(1);
      await database.query(`update stock set pieces = 7 where product = 'milk'`);
      await open();
      expect(await late).toMatchObject({ status: 500, body: { code: '40001', request: { index: 3 } } });
      expect([await shop.count('orders'), await shop.count('stock where pieces = 7')]).toEqual([0, 1]);
    } finally {
      await shop.alterRole(`reset ${name}`, 'transaction_isolation', 'read committed');
    }
  });
});

describe('a batch that PostgreSQL ends', () => {
  const terminated = `select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and usename = 'authenticator' and state = 'active'`;

  it('by losing the connection in its midst leaves nothing done', async () => {
    const { reached, open } = await shop.closeGate();
    const lost = answerOf(shop.send({ requests: [order, gate, order] }));
    await reached(1);
    await shop.project.database.query(terminated);
    expect(await lost).toMatchObject({ status: 503, body: { code: '57P01', request: { index: 1 } } });
    await open();
    expect(await shop.count('orders')).toBe(0);
    await shop.batch([order]);
    expect(await shop.count('orders')).toBe(1);
  });

  it('for a statement that takes too long leaves nothing done', async () => {
    await shop.project.database.query(`
      create function slow() returns text language sql volatile set statement_timeout = '50ms' as
        'select pg_sleep(30)::text'`);
    const { status, body } = await shop.refusal([order, { method: 'POST', path: '/rpc/slow', body: {} }]);
    expect([status, body]).toMatchObject([500, { code: '57014', request: { index: 1 } }]);
    expect(await shop.count('orders')).toBe(0);
  });

  it('at its commit is no failure of one of its requests', async () => {
    await shop.project.database.query(`
      create table pairs (id int primary key, other int references pairs deferrable initially deferred)`);
    const pair = (id: number, other: number) => ({ method: 'POST', path: '/pairs', body: { id, other } });
    const { status, body } = await shop.refusal([order, pair(1, 2)]);
    expect(status).toBe(409);
    expect(body).toMatchObject({ code: '23503' });
    expect(body).not.toHaveProperty('request');
    expect(await shop.count('orders')).toBe(0);
    await shop.batch([pair(1, 2), pair(2, 1)]);
    expect(await shop.count('pairs')).toBe(2);
  });
});

describe('a batch that nobody waits for any more', () => {
  it('is done as a whole', async () => {
    const { reached, open } = await shop.closeGate();
    const owned = { ...order, body: { customer: ann } };
    const leaving = new AbortController();
    const sent = fetch(`${shop.url}/rest/v1/batch`, {
      method: 'POST',
      headers: { apikey: shop.keys.secretKey, 'content-type': 'application/json' },
      body: JSON.stringify({ requests: [owned, gate, owned] }),
      signal: leaving.signal,
    });
    await reached(1);
    leaving.abort();
    await expect(sent).rejects.toThrow('aborted');
    await open();
    await eventually(async () => (await shop.count('orders')) === 2);
  });
});

describe('the bounds of a batch', () => {
  const call = (name: string, n: number) => ({ path: `/rpc/${name}?n=${n}` });

  it('are of requests, of rows and of bytes in all its responses', async () => {
    const many = Array.from({ length: limits.batchRequests + 1 }, () => ({ path: '/stock' }));
    expect(await shop.refusal(many)).toMatchObject({ status: 400, body: { code: 'PGRST100' } });
    const rows = call('numbers', limits.batchRows / 2 + 1);
    expect(await shop.refusal([order, rows, rows])).toMatchObject({
      status: 400,
      body: { code: 'PGRST100', request: { index: 2 } },
    });
    const bytes = call('long_text', limits.batchResponseBytes / 2);
    expect(await shop.refusal([order, bytes, bytes])).toMatchObject({
      status: 400,
      body: { code: 'PGRST100', request: { index: 2 } },
    });
    expect(await shop.count('orders')).toBe(0);
  });

  it('are of its body', async () => {
    const large = { ...order, body: { note: 'x'.repeat(limits.batchBodyBytes) } };
    expect(await shop.refusal([large])).toMatchObject({ status: 400, body: { code: 'PGRST100' } });
  });

  it('are of time: no request begins later', async () => {
    jest.replaceProperty(limits, 'batchMs', 10 as never);
    await shop.project.database.query(`
      create function rest() returns text language sql volatile as 'select pg_sleep(0.05)::text'`);
    expect(await shop.refusal([order, { method: 'POST', path: '/rpc/rest', body: {} }, order])).toMatchObject(
      {
        status: 400,
        body: { code: 'PGRST100', message: 'The batch has taken more than 10 ms', request: { index: 2 } },
      },
    );
    expect(await shop.count('orders')).toBe(0);
  });

  it.each([
    ['no JSON', '{"requests": [', 'PGRST102'],
    ['nothing', '', 'PGRST102'],
    ['a text', '"requests"', 'PGRST102'],
    ['what nests deep', '['.repeat(200_000), 'PGRST100'],
    ['names that all objects have', '{"__proto__": {}, "constructor": 1}', 'PGRST102'],
    ['a NUL', '{"requests": [{"path": "/stock?product=eq.\\u0000"}]}', 'PGRST100'],
    ['half a character', '{"requests": [{"path": "/stock?product=eq.%d8"}]}', 'PGRST100'],
    [
      'a header of many lines',
      '{"requests": [{"path": "/stock", "headers": {"x\\r\\ny": "z"}}]}',
      'PGRST102',
    ],
  ])('are of form: %s is no batch', async (_, body, code) => {
    const response = await shop.send(body);
    expect([response.status, await response.json()]).toMatchObject([400, { code }]);
  });
});
