import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DataModule } from '#libs/data';
import { startTestServer, type TestServer } from '../support/server.js';

/** A price is kept in cents and shown as `12.50 EUR`; a moment is shown as seconds, and read as PostgreSQL does. */
const shopSql = `
  create domain price as int;
  create function price_json(price) returns json language sql immutable as
    $$ select case when $1 is null then '"free"'::json else to_json(to_char($1 / 100.0, 'FM990.00') || ' EUR') end $$;
  create function price_of_text(text) returns price language sql immutable as
    $$ select (replace($1, ' EUR', '')::numeric * 100)::int::price $$;
  create function price_of_json(json) returns price language sql immutable as $$ select price_of_text($1 #>> '{}') $$;
  create cast (price as json) with function price_json(price) as implicit;
  create cast (json as price) with function price_of_json(json) as implicit;
  create cast (text as price) with function price_of_text(text) as implicit;
  create domain moment as timestamptz;
  create function moment_json(moment) returns json language sql immutable as
    $$ select to_json(extract(epoch from $1::timestamptz)::int) $$;
  create cast (moment as json) with function moment_json(moment) as implicit;

  create table wares (id int primary key, name text, price price, since moment);
  create table offers (id int primary key, ware_id int references wares (id), note text);
  create function cheap_wares() returns setof wares language sql stable as $$ select * from wares where price < 500 $$;
  insert into wares values (1, 'pen', 120, '1970-01-02T00:00:00Z'), (2, 'ink', 450, null), (3, 'desk', 9900, null),
    (4, 'air', null, null);
  insert into offers values (1, 1, 'two for one');
  grant all on wares, offers to anon;
`;

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ modules: [DataModule] });
  await server.project.database.query(shopSql);
});
afterAll(() => server.close());

async function send(path: string, init: RequestInit = {}): Promise<unknown> {
  const response = await fetch(`${server.url}/rest/v1/${path}`, {
    ...init,
    headers: {
      apikey: server.keys.publishableKey,
      'content-type': 'application/json',
      prefer: 'return=representation',
    },
  });
  return response.json();
}

describe('a domain with casts of its own', () => {
  it('is shown by its cast to JSON, null included', async () => {
    expect(await send('wares?select=price&order=id')).toEqual([
      { price: '1.20 EUR' },
      { price: '4.50 EUR' },
      { price: '99.00 EUR' },
      { price: 'free' },
    ]);
    expect(await send('wares?id=eq.1&select=costs:price,text:price::text')).toEqual([
      { costs: '1.20 EUR', text: '"1.20 EUR"' },
    ]);
  });

  it('is so among all columns, in embedded tables and in the rows of a function', async () => {
    const pen = { id: 1, name: 'pen', price: '1.20 EUR', since: 86_400 };
    expect(await send('wares?id=eq.1')).toEqual([pen]);
    expect(await send('wares?id=eq.1&select=name,*')).toEqual([pen]);
    expect(await send('offers?select=note,wares(*)')).toEqual([{ note: 'two for one', wares: pen }]);
    expect(await send('rpc/cheap_wares?id=eq.1')).toEqual([pen]);
  });

  it.each([
    ['price=eq.4.50 EUR', [2]],
    ['price=gt.1.20', [2, 3]],
    ['price=in.(1.20,99 EUR)', [1, 3]],
    ['price=not.in.(1.20,99 EUR)', [2]],
    ['or=(price.eq.1.20,price.is.null)', [1, 4]],
    ['since=eq.1970-01-02T00:00:00Z', [1]],
  ])('reads the filter %s by its cast from text', async (filter, ids) => {
    expect(await send(`wares?${filter}&select=id&order=id`)).toEqual(ids.map((id) => ({ id })));
  });

  it('is read from bodies by its cast from JSON', async () => {
    const body = JSON.stringify([
      { id: 10, price: '0.99 EUR' },
      { id: 11, price: '7' },
    ]);
    expect(await send('wares?select=id,price', { method: 'POST', body })).toEqual([
      { id: 10, price: '0.99 EUR' },
      { id: 11, price: '7.00 EUR' },
    ]);
    const changed = await send('wares?id=eq.10&select=price', {
      method: 'PATCH',
      body: JSON.stringify({ price: '1' }),
    });
    expect(changed).toEqual([{ price: '1.00 EUR' }]);
    const { rows } = await server.project.database.query('select price::int from wares where id = 10');
    expect(rows).toEqual([{ price: 100 }]);
  });
});
