import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { SupabaseClient } from '@supabase/supabase-js';
import type { TestServer } from '../support/server.js';
import { jsonOf, startCinema } from './cinema.js';

let server: TestServer;
let client: SupabaseClient;

beforeAll(async () => {
  server = await startCinema();
  client = server.client();
});
afterAll(() => server.close());
beforeEach(() => server.project.database.query('delete from films where id > 4'));

function send(
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${server.url}/rest/v1/${path}`, {
    method,
    body,
    headers: { apikey: server.keys.publishableKey, 'content-type': 'application/json', ...headers },
  });
}

async function titles(): Promise<unknown[]> {
  const { rows } = await server.project.database.query<{ title: string }>(
    'select title from films where id > 4 order by id',
  );
  return rows.map((row) => row.title);
}

describe('insert', () => {
  it('stores a row and answers 201 without a body', async () => {
    const { data, error, status } = await client
      .from('films')
      .insert({ id: 10, title: 'A', tags: ['x', 'y,z'], info: { a: 1 } });
    expect({ data, error, status }).toEqual({ data: null, error: null, status: 201 });
    const { rows } = await server.project.database.query(
      'select tags, info, rating from films where id = 10',
    );
    expect(rows).toEqual([{ tags: ['x', 'y,z'], info: { a: 1 }, rating: '5.0' }]);
  });

  it('stores many rows and gives them back, with what is related', async () => {
    const { data, status } = await client
      .from('films')
      .insert([
        { id: 10, title: 'A', director_id: 2 },
        { id: 11, title: 'B', director_id: null },
      ])
      .select('title,directors(name)')
      .order('id', { ascending: false });
    expect(status).toBe(201);
    expect(data).toEqual([
      { title: 'B', directors: null },
      { title: 'A', directors: { name: 'Akira Kurosawa' } },
    ]);
  });

  it('takes nulls for missing columns, or their defaults when asked', async () => {
    const rows = [
      { id: 10, title: 'A', rating: 1 },
      { id: 11, title: 'B' },
    ];
    const nulls = await client.from('films').insert(rows).select('rating').order('id');
    expect(nulls.data).toEqual([{ rating: 1 }, { rating: null }]);
    await server.project.database.query('delete from films where id > 4');
    const defaults = await client
      .from('films')
      .insert([rows[0]!, { title: 'B' }], { defaultToNull: false })
      .select('id,rating')
      .order('title');
    expect(defaults.data).toEqual([
      { id: 10, rating: 1 },
      { id: expect.any(Number), rating: 5 },
    ]);
  });

  it('takes only the named columns', async () => {
    await send('POST', 'films?columns=title', '[{"title":"A","year":1},{"title":"B"}]');
    const { rows } = await server.project.database.query(
      'select title, year from films where id > 4 order by id',
    );
    expect(rows).toEqual([
      { title: 'A', year: null },
      { title: 'B', year: null },
    ]);
  });

  it('tells where a single row is for return=headers-only', async () => {
    const response = await send('POST', 'films', '{"id":10,"title":"A"}', { prefer: 'return=headers-only' });
    expect([response.status, response.headers.get('location')]).toEqual([201, '/films?id=eq.10']);
    expect(response.headers.get('preference-applied')).toBe('return=headers-only');
    expect(await response.text()).toBe('');
  });

  it('stores nothing for an empty list and defaults for an empty object', async () => {
    expect((await send('POST', 'films', '[]', { prefer: 'return=representation' })).status).toBe(201);
    expect(await titles()).toEqual([]);
    const empty = await send('POST', 'people', '{}');
    expect((await jsonOf(empty)).code).toBe('23502');
  });

  it('stores nothing when more than the one object asked for would come of it', async () => {
    const { error } = await client
      .from('films')
      .insert([{ title: 'A' }, { title: 'B' }])
      .select()
      .single();
    expect(error?.code).toBe('PGRST116');
    expect(await titles()).toEqual([]);
    const one = await client.from('films').insert({ title: 'A' }).select('title').single();
    expect(one.data).toEqual({ title: 'A' });
  });

  it.each([
    ['not json', 400, 'PGRST102'],
    ['', 400, 'PGRST102'],
    ['[1]', 400, 'PGRST102'],
    ['[{"title":"A"},{"year":1}]', 400, 'PGRST102'],
    ['{"nothing":1}', 400, 'PGRST204'],
    ['{"__proto__":1}', 400, 'PGRST204'],
    ['{"title":"A\\u0000"}', 400, '22P05'],
    ['{"title":null}', 400, '23502'],
    ['{"id":1,"title":"A"}', 409, '23505'],
    ['{"title":"A","director_id":99}', 409, '23503'],
    ['{"title":"A","year":"soon"}', 400, '22P02'],
  ])('refuses the body %s with %i %s', async (body, status, code) => {
    const response = await send('POST', 'films', body);
    expect([response.status, (await jsonOf(response)).code]).toEqual([status, code]);
    expect(await titles()).toEqual([]);
  });
});

describe('upsert', () => {
  it('merges on the primary key, 200 when nothing was new', async () => {
    await client.from('films').insert({ id: 10, title: 'A', year: 1 });
    const merged = await client.from('films').upsert({ id: 10, title: 'B' }).select('title,year');
    expect([merged.status, merged.data]).toEqual([200, [{ title: 'B', year: 1 }]]);
    const mixed = await client.from('films').upsert([
      { id: 10, title: 'C' },
      { id: 11, title: 'D' },
    ]);
    expect(mixed.status).toBe(201);
    expect(await titles()).toEqual(['C', 'D']);
  });

  it('merges on other unique columns, or leaves what is there', async () => {
    await client
      .from('directors')
      .upsert({ id: 1, name: 'Changed' }, { onConflict: 'id', ignoreDuplicates: true });
    const { data } = await client.from('directors').select('name').eq('id', 1).single();
    expect(data).toEqual({ name: 'Agnès Varda' });
    const { error } = await client.from('films').upsert({ title: 'A' }, { onConflict: 'title' });
    expect(error?.code).toBe('42P10');
  });
});

describe('update', () => {
  it('changes the rows that match and gives them back', async () => {
    await client.from('films').insert([
      { id: 10, title: 'A' },
      { id: 11, title: 'B' },
    ]);
    const silent = await client.from('films').update({ year: 2000 }).eq('id', 10);
    expect([silent.status, silent.data]).toEqual([204, null]);
    const { data, status, count } = await client
      .from('films')
      .update({ title: 'C' }, { count: 'exact' })
      .gt('id', 9)
      .select('title,year')
      .order('id');
    expect([status, count]).toEqual([200, 2]);
    expect(data).toEqual([
      { title: 'C', year: 2000 },
      { title: 'C', year: null },
    ]);
  });

  it('undoes an update of more rows than asked for', async () => {
    await client.from('films').insert([
      { id: 10, title: 'A' },
      { id: 11, title: 'B' },
    ]);
    const { error } = await client.from('films').update({ title: 'C' }).gt('id', 9).select().single();
    expect(error?.code).toBe('PGRST116');
    const response = await send('PATCH', 'films?id=gt.9', '{"title":"C"}', {
      prefer: 'handling=strict,max-affected=1',
    });
    expect([response.status, (await jsonOf(response)).code]).toEqual([400, 'PGRST124']);
    expect(await titles()).toEqual(['A', 'B']);
  });

  it('changes nothing for an empty object', async () => {
    const response = await send('PATCH', 'films?id=eq.1', '{}', { prefer: 'return=representation' });
    expect([response.status, await response.json()]).toEqual([200, []]);
  });
});

describe('delete', () => {
  it('removes the rows that match', async () => {
    await client.from('films').insert([
      { id: 10, title: 'A' },
      { id: 11, title: 'B' },
    ]);
    expect((await client.from('films').delete().eq('id', 10)).status).toBe(204);
    const { data } = await client.from('films').delete().eq('id', 11).select('title');
    expect(data).toEqual([{ title: 'B' }]);
    expect(await titles()).toEqual([]);
  });

  it('filters by related conditions only of the table itself', async () => {
    const { error } = await client.from('films').delete().eq('directors.name', 'x').select('id');
    expect(error?.code).toBe('PGRST108');
  });
});
