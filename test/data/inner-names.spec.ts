import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DataModule } from '#libs/data';
import { startTestServer, type TestServer } from '../support/server.js';

/** What the statements of the data API call something by, and PostgreSQL in them. */
const names = [
  'galley_source',
  'galley_body',
  'galley_item',
  'galley_row',
  'galley_rows',
  'galley_match',
  'galley_scalar',
  'excluded',
  'body',
  'key',
  'value',
  'c1',
];

/** Everything that one can be called like `n`: a table, its key, and functions with an argument of that name. */
const sqlOf = (n: string) => `
  create table ${n} (${n} text primary key default 'none', size int default 7, parent text references ${n});
  insert into ${n} values ('a', 1, null), ('b', 2, 'a'), ('c', 3, 'a');
  create function louder(${n}) returns text language sql immutable as 'select upper($1.${n})';
  create function above(${n}) returns setof ${n} rows 1 language sql stable as
    'select * from ${n} where ${n} = $1.parent';
  create function ${n}(${n} text) returns setof ${n} language sql stable as
    'select * from ${n} as t where t.${n} = $1';
  create function one_${n}(${n} text) returns text language sql stable as 'select $1';
  alter table ${n} enable row level security;
  create policy open on ${n} using (${n} <> 'hidden');
`;

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({
    modules: [DataModule],
    environment: { PGRST_DB_AGGREGATES_ENABLED: 'true' },
  });
  await server.project.database.query(names.map(sqlOf).join(''));
});
afterAll(() => server.close());

const ask = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  fetch(`${server.url}/rest/v1/${path}`, {
    method,
    headers: { apikey: server.keys.publishableKey, 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
const get = async (path: string) => (await ask('GET', path)).json();
const send = async (method: string, path: string, body?: unknown, prefer = '') =>
  (await ask(method, path, body, { prefer: `return=representation, ${prefer}` })).json();

describe.each(names)('a table, a column, a function and an argument called %s', (n) => {
  it('are read', async () => {
    expect(await get(`${n}?select=${n}&${n}=eq.b`)).toEqual([{ [n]: 'b' }]);
    expect(await get(`${n}?select=${n}:size&order=${n}.desc&limit=1`)).toEqual([{ [n]: 3 }]);
    expect(await get(`${n}?select=louder&${n}=eq.b`)).toEqual([{ louder: 'B' }]);
    const csv = await ask('GET', `${n}?select=${n},size&order=${n}`, undefined, { accept: 'text/csv' });
    expect(await csv.text()).toBe(`${n},size\na,1\nb,2\nc,3`);
  });

  it('are embedded', async () => {
    const b = `${n}=eq.b`;
    expect(await get(`${n}?select=size,${n}:parent(${n})&${b}`)).toEqual([{ size: 2, [n]: { [n]: 'a' } }]);
    expect(await get(`${n}?select=${n},more:${n}(${n})&${n}=eq.a&more.order=${n}`)).toEqual([
      { [n]: 'a', more: [{ [n]: 'b' }, { [n]: 'c' }] },
    ]);
    expect(await get(`${n}?select=size,...parent(${n})&${b}`)).toEqual([{ size: 2, [n]: 'a' }]);
    expect(await get(`${n}?select=...${n}(${n})&${n}=eq.a`)).toEqual([{ [n]: ['b', 'c'] }]);
    expect(await get(`${n}?select=size,above(${n},louder)&${b}`)).toEqual([
      { size: 2, above: { [n]: 'a', louder: 'A' } },
    ]);
    expect(await get(`${n}?select=${n},parent(${n})&order=parent(${n}),${n}&offset=1&limit=1`)).toEqual([
      { [n]: 'c', parent: { [n]: 'a' } },
    ]);
  });

  it('are aggregated and counted', async () => {
    expect(await get(`${n}?select=${n}:size.sum(),${n}:parent(${n})&parent=not.is.null`)).toEqual([
      { [n]: { [n]: 'a' } },
    ]);
    const counted = await ask('GET', `${n}?select=${n}&offset=1`, undefined, { prefer: 'count=exact' });
    expect(counted.headers.get('content-range')).toBe('1-2/3');
  });

  it('are called', async () => {
    expect(await get(`rpc/${n}?${n}=b&select=${n},louder,above(${n})`)).toEqual([
      { [n]: 'b', louder: 'B', above: { [n]: 'a' } },
    ]);
    expect(await send('POST', `rpc/${n}?select=${n},louder`, { [n]: 'b' })).toEqual([
      { [n]: 'b', louder: 'B' },
    ]);
    expect(await send('POST', `rpc/one_${n}`, { [n]: 'b' })).toBe('b');
  });

  it('are changed', async () => {
    const shown = `${n}?select=${n},size,louder`;
    const d = (size: number | null) => [{ [n]: 'd', size, louder: 'D' }];
    const merged = 'resolution=merge-duplicates';
    expect(await send('POST', shown, { [n]: 'd', size: 4 })).toEqual(d(4));
    expect(await send('POST', shown, { [n]: 'd', size: 5 }, merged)).toEqual(d(5));
    expect(
      await send('POST', `${shown}&columns=${n},size`, [{ [n]: 'd' }], `${merged}, missing=default`),
    ).toEqual(d(7));
    expect(await send('PUT', `${shown}&${n}=eq.d`, { [n]: 'd', size: 6 })).toEqual(d(6));
    expect(await send('PATCH', `${shown}&${n}=eq.d`, { size: 8 })).toEqual(d(8));
    expect(await send('PATCH', `${shown}&${n}=eq.d&columns=size`, {}, 'missing=default')).toEqual(d(7));
    expect(await send('PATCH', `${shown}&${n}=eq.d&order=${n}&limit=1`, { size: 9 })).toEqual(d(9));
    expect(await send('DELETE', `${shown}&${n}=eq.d`)).toEqual(d(9));
    const located = await ask('POST', n, { size: 1 }, { prefer: 'return=headers-only' });
    expect(located.headers.get('location')).toBe(`/${n}?${n}=eq.none`);
    expect((await ask('DELETE', `${n}?${n}=eq.none`)).status).toBe(204);
  });

  it('are explained', async () => {
    const headers = {
      apikey: server.keys.secretKey,
      prefer: 'explain=policies',
      'galley-explain-as': server.keys.publishableKey,
    };
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const body = method === 'PATCH' ? { size: 1 } : undefined;
      const path = `${n}?select=${n},up:parent!inner()&size=eq.2`;
      const report = (await (await ask(method, path, body, headers)).json()) as Report;
      expect(report).toMatchObject({ outcome: { succeeds: true, rows: 1 } });
      expect(report.accesses.map(({ rows }) => rows)).toContainEqual({
        considered: 1,
        is_partial: false,
        allowed: 1,
      });
    }
  });
});

interface Report {
  readonly accesses: readonly { readonly rows: unknown }[];
}
