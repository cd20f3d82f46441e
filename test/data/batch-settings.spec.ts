import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startShop, type Shop } from './shop.js';

let shop: Shop;
beforeAll(async () => {
  shop = await startShop({
    PGRST_DB_PRE_REQUEST: 'checked',
    PGRST_SERVER_TIMING_ENABLED: 'true',
    PGRST_DB_PLAN_ENABLED: 'true',
  });
  await shop.project.database.query(`
    create table seen (n int generated always as identity, method text, path text, body text);
    create function checked() returns void language plpgsql security definer as $$
      begin
        if current_setting('request.path') = '/forbidden' then
          raise sqlstate 'PT402' using message = 'Pay first', hint = 'with money';
        end if;
        if current_setting('transaction_read_only') = 'off' then
          insert into seen (method, path) values (current_setting('request.method'), current_setting('request.path'));
        end if;
      end
    $$;
    create function hoisted() returns text language sql stable set statement_timeout = '7s' as
      $$ select current_setting('statement_timeout') $$;
    create function isolated() returns text language sql stable
      set default_transaction_isolation = 'serializable' as $$ select current_setting('transaction_isolation') $$;
  `);
});
afterAll(() => shop.close());

const told = (name: string) => ({ path: `/rpc/told?name=${name}` });
const bodies = (responses: readonly { body: unknown }[]) => responses.map(({ body }) => body);

describe('a request of a batch', () => {
  it('is told to the function that checks requests, each by itself', async () => {
    await shop.project.database.query('truncate seen');
    await shop.batch([
      { method: 'POST', path: '/orders?select=id', body: {} },
      { path: '/stock' },
      { method: 'PATCH', path: '/stock?product=eq.salt', body: { pieces: 1 } },
    ]);
    const { rows } = await shop.project.database.query('select method, path from seen order by n');
    expect(rows).toEqual([
      { method: 'POST', path: '/orders' },
      { method: 'PATCH', path: '/stock' },
    ]);
    const order = { method: 'POST', path: '/orders', body: { note: 'unpaid' } };
    expect(
      await shop.refusal([order, { path: '/stock' }, { method: 'POST', path: '/forbidden', body: {} }]),
    ).toEqual({ status: 404, body: expect.objectContaining({ code: 'PGRST205', request: { index: 2 } }) });
    await shop.project.database.query('create table forbidden (id int)');
    expect(await shop.refusal([order, { id: 'it', path: '/forbidden' }])).toEqual({
      status: 402,
      body: {
        code: 'PT402',
        message: 'Pay first',
        details: null,
        hint: 'with money',
        request: { index: 1, id: 'it' },
      },
    });
    expect(await shop.count(`orders where note = 'unpaid'`)).toBe(0);
  });

  it('knows its own method, path and headers, and the headers of the batch', async () => {
    const headers = { 'x-own': 'mine', prefer: 'handling=lenient', cookie: 'a=b' };
    const answers = await shop.batch(
      [
        told('request.path'),
        told('request.method'),
        {
          method: 'POST',
          path: '/rpc/told',
          headers: { Prefer: 'count=exact' },
          body: { name: 'request.headers' },
        },
        told('request.cookies'),
      ],
      headers,
    );
    expect(bodies(answers).slice(0, 2)).toEqual(['/rpc/told', 'GET']);
    const own = JSON.parse(answers[2]!.body) as Record<string, string>;
    expect(own).toMatchObject({ 'x-own': 'mine', prefer: 'count=exact', apikey: shop.keys.publishableKey });
    expect(own).not.toHaveProperty('content-type');
    expect(JSON.parse(answers[3]!.body)).toEqual({ a: 'b' });
  });

  it('is of the schema that it names', async () => {
    const [kept, read, plain] = await shop.batch([
      {
        method: 'POST',
        path: '/orders',
        headers: { 'Content-Profile': 'archive', prefer: 'return=representation' },
        body: { id: 5 },
      },
      { path: '/orders?id=eq.${/0/0/id}', headers: { 'accept-profile': 'archive' } },
      { path: '/orders?id=eq.${/0/0/id}' },
    ]);
    expect(kept).toMatchObject({ status: 201, headers: { 'content-profile': 'archive' } });
    expect(read!.body).toEqual([{ id: 5, kept_at: '2026-01-01' }]);
    expect(plain!.body).toEqual([]);
    expect(await shop.refusal([{ path: '/orders', headers: { 'accept-profile': 'secret' } }])).toMatchObject({
      status: 406,
      body: { code: 'PGRST106', request: { index: 0 } },
    });
  });

  it('has the status and the headers that its function sets, and those after it have their own', async () => {
    const set = { headers: '[{"X-Own": "yes"}, {"Content-Type": "text/plain"}]', status: '418' };
    const [first, second, wrong] = await shop.batch([
      { method: 'POST', path: '/rpc/answer', body: set },
      told('response.headers'),
      { path: '/stock?limit=1' },
    ]);
    expect(first).toMatchObject({ status: 418, headers: { 'x-own': 'yes' }, body: '"body"' });
    expect(second).toMatchObject({ status: 200, body: '' });
    expect(wrong!.headers).not.toHaveProperty('x-own');
  });

  it('has the settings of its function, and those after it have not', async () => {
    const [before, during, after] = bodies(
      await shop.batch([told('statement_timeout'), { path: '/rpc/hoisted' }, told('statement_timeout')]),
    );
    expect(during).toBe('7s');
    expect(after).toBe(before);
  });

  it('has the settings of its role, also those that the role itself may not make', async () => {
    const { database } = shop.project;
    const name = 'log_min_duration_statement';
    await database.query(`grant set on parameter ${name} to authenticator`);
    try {
      await shop.alterRole(`set ${name} = '7h'`, name, '7h');
      expect(bodies(await shop.batch([told(name), told('role'), told(name)]))).toEqual([
        '7h',
        'authenticated',
        '7h',
      ]);
    } finally {
      await shop.alterRole(`reset ${name}`, name, '-1');
      await database.query(`revoke set on parameter ${name} from authenticator`);
    }
  });

  it('cannot be isolated more than the batch', async () => {
    expect(await (await shop.ask('rpc/isolated')).json()).toBe('serializable');
    expect(await shop.refusal([{ path: '/stock' }, { path: '/rpc/isolated' }])).toMatchObject({
      status: 400,
      body: { code: '25001', request: { index: 1 } },
    });
  });

  it('may be of any media type, in and out', async () => {
    const csv = { 'content-type': 'text/csv', accept: 'text/csv', prefer: 'return=representation' };
    const [written, object, read] = await shop.batch([
      { method: 'POST', path: '/stock?select=product', headers: csv, body: 'product,pieces\nrye,1\nspelt,2' },
      {
        path: '/stock?product=eq.rye&select=pieces',
        headers: { accept: 'application/vnd.pgrst.object+json' },
      },
      { path: '/stock?product=in.(rye,spelt)&select=product&order=product', headers: { accept: 'text/csv' } },
    ]);
    expect(written).toMatchObject({ status: 201, body: 'product\nrye\nspelt' });
    expect(object!.body).toEqual({ pieces: 1 });
    expect(read!.body).toBe('product\nrye\nspelt');
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    expect(
      bodies(await shop.batch([{ method: 'POST', path: '/rpc/told', headers: form, body: 'name=role' }])),
    ).toEqual(['authenticated']);
    expect(await shop.refusal([{ method: 'POST', path: '/stock', headers: csv, body: [1] }])).toMatchObject({
      body: { code: 'PGRST102', request: { index: 0 } },
    });
  });

  it('may ask for its plan, and for a count that is planned', async () => {
    const [plan, planned, estimated] = await shop.batch([
      { path: '/stock', headers: { accept: 'application/vnd.pgrst.plan+json' } },
      { path: '/stock?limit=1', headers: { prefer: 'count=planned' } },
      { path: '/stock?limit=1', headers: { prefer: 'count=estimated' } },
    ]);
    expect(plan).toMatchObject({ status: 200, body: [{ Plan: expect.any(Object) }] });
    expect(planned!.headers['content-range']).toMatch(/^0-0\/\d+$/);
    expect(estimated!.headers['preference-applied']).toBe('count=estimated');
  });

  it('has no plan of a change that runs and is bounded', async () => {
    const headers = {
      accept: 'application/vnd.pgrst.plan; options=analyze',
      prefer: 'handling=strict, max-affected=0',
    };
    const bounded = { method: 'DELETE', path: '/stock', headers };
    const before = await shop.count('stock');
    expect(await shop.refusal([bounded])).toMatchObject({ status: 400, body: { code: 'PGRST127' } });
    expect(await shop.count('stock')).toBe(before);
  });

  it('is no batch, no root and no question for methods', async () => {
    const inner = { method: 'POST', path: '/batch', body: { requests: [{ path: '/stock' }] } };
    expect(await shop.refusal([inner])).toMatchObject({
      status: 400,
      body: { code: 'PGRST102', message: 'A batch cannot be a request of a batch' },
    });
    for (const request of [{ path: '/' }, { method: 'OPTIONS', path: '/stock' }]) {
      expect(await shop.refusal([request])).toMatchObject({ status: 400, body: { code: 'PGRST102' } });
    }
  });
});

describe('the path of a batch', () => {
  it('is timed as other requests are', async () => {
    const response = await shop.send({ requests: [{ path: '/stock' }] });
    expect(response.headers.get('server-timing')).toMatch(/^jwt;dur=.*transaction;dur=/);
  });

  it('takes POST alone', async () => {
    const read = await shop.ask('batch');
    expect([read.status, await read.json()]).toMatchObject([404, { code: 'PGRST205' }]);
  });

  it('is that of a table where one has its name, in the schema that has it', async () => {
    const { database } = shop.project;
    await database.query('create table archive.batch (requests jsonb)');
    await database.query('grant all on archive.batch to authenticated');
    const requests = [{ path: '/stock?product=eq.milk&select=product' }];
    expect(bodies(await shop.batch(requests))).toEqual([[{ product: 'milk' }]]);
    const inserted = await shop.send({ requests }, { 'content-profile': 'archive' });
    expect(inserted.status).toBe(201);
    expect(await shop.count('archive.batch')).toBe(1);
    const within = {
      method: 'POST',
      path: '/batch',
      headers: { 'content-profile': 'archive' },
      body: { requests },
    };
    expect(await shop.batch([within])).toMatchObject([{ status: 201 }]);
    await database.query('drop table archive.batch');
  });
});
