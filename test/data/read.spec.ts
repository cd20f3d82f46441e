import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
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

/** Sends a request as the SDK would, but with a query string of our own. */
function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${server.url}/rest/v1/${path}`, {
    headers: { apikey: server.keys.publishableKey, ...headers },
  });
}

async function ids(path: string): Promise<unknown> {
  const response = await get(path);
  const rows = await jsonOf<{ id: number }[]>(response);
  return response.ok ? rows.map((row) => row.id) : rows;
}

describe('filters', () => {
  it.each([
    ['id=eq.1', [1]],
    ['id=neq.1', [2, 3, 4]],
    ['year=gt.1962', [2, 3]],
    ['year=gte.1962&year=lt.1985', [1]],
    ['year=lte.1962', [1]],
    ['title=like.*a*', [2, 3]],
    ['title=ilike.r%25', [3]],
    ['title=match.^[CR]', [1, 3]],
    ['title=imatch.^r', [3]],
    ['id=in.(1,3,99)', [1, 3]],
    ['title=in.("Cléo from 5 to 7","Ran")', [1, 3]],
    ['id=in.()', []],
    ['year=is.null', [4]],
    ['year=not.is.null', [1, 2, 3]],
    ['year=is.not_null', [1, 2, 3]],
    ['year=isdistinct.1985', [1, 4]],
    ['title=fts.vagabond', [2]],
    ['title=plfts(english).from%20cleo', []],
    ['title=wfts(simple).Cléo -Ran', [1]],
    ['title=phfts(simple).5 to 7', [1]],
    ['tags=cs.{drama,war}', [3]],
    ['tags=cd.{drama,paris}', [1, 2, 4]],
    ['tags=ov.{paris,war}', [1, 3]],
    ['running=sl.[100,110)', [1]],
    ['running=sr.[100,110)', [3]],
    ['running=nxr.[100,110)', [1, 2]],
    ['running=nxl.[100,110)', [2, 3]],
    ['running=adj.[90,105)', [1, 2]],
    ['id=not.in.(1,2)', [3, 4]],
    ['title=like(any).{C*,R*}', [1, 3]],
    ['title=ilike(all).{*a*,*n*}', [2, 3]],
    ['id=eq(any).{1,2}', [1, 2]],
    ['or=(id.eq.1,title.eq.Ran)', [1, 3]],
    ['or=(id.eq.1,and(year.eq.1985,title.not.eq.Ran))', [1, 2]],
    ['not.or=(id.eq.1,title.eq.Ran)', [2, 4]],
    ['and=(id.gt.1,or(title.eq."Ran",title.eq.Vagabond))', [2, 3]],
    ['or=(tags.cs.{drama,paris},id.in.(4))', [1, 4]],
    ['info->country->>code=eq.JP', [3]],
    ['info->awards->0=eq.1', [1]],
    ['or=(info->country->>code.eq.JP,id.eq.4)', [3, 4]],
  ])('answers %s with the films it means', async (query, expected) => {
    expect(await ids(`films?select=id&order=id&${query.replaceAll('+', '%2B')}`)).toEqual(expected);
  });

  it('compares against the value alone, whatever it holds', async () => {
    for (const value of [`' or 1=1--`, `"`, `\\`, `$1`, `); drop table films;--`, `%`, `__proto__`]) {
      const { data, error } = await client.from('films').select('id').eq('title', value);
      expect({ data, error }).toEqual({ data: [], error: null });
    }
  });

  it.each([
    ['id=1', 'PGRST100'],
    ['id=noop.1', 'PGRST100'],
    ['or=(id.eq.1', 'PGRST100'],
    ['or=(id.eq.1,not.title.eq.Ran)', 'PGRST100'],
    ['select=id,', 'PGRST100'],
    ['order=id.sideways', 'PGRST100'],
    ['select=id.sum()', 'PGRST123'],
    ['limit=-1', 'PGRST103'],
    ['nothing=eq.1', '42703'],
    ['id=eq.one', '22P02'],
    ['directors.name=eq.x', 'PGRST108'],
  ])('refuses %s with %s', async (query, code) => {
    const response = await get(`films?${query}`);
    expect(await response.json()).toMatchObject({ code, message: expect.any(String) });
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.status).toBeLessThan(500);
  });
});

describe('select', () => {
  it('renames, casts and reaches into JSON', async () => {
    const { data } = await client
      .from('films')
      .select('name:title,year::text,code:info->country->>code,info->awards->0,rating::numeric(4,2)')
      .eq('id', 1)
      .single();
    expect(data).toEqual({ name: 'Cléo from 5 to 7', year: '1962', code: 'FR', awards: 1, rating: 7.8 });
  });

  it('refuses a cast to a type that does not exist', async () => {
    const { error } = await client.from('films').select('year::"text) from x--');
    expect(error?.code).toBe('PGRST100');
    expect((await client.from('films').select('year::nothing')).error?.code).toBe('42704');
  });

  it('shows views', async () => {
    const { data } = await client.from('old_films').select('*');
    expect(data).toEqual([{ film_number: 1, name: 'Cléo from 5 to 7', director_id: 1 }]);
  });

  it('answers PGRST205 with a suggestion for a table that does not exist', async () => {
    const { error, status } = await client.from('flims').select('*');
    expect(status).toBe(404);
    expect(error).toEqual({
      code: 'PGRST205',
      message: "Could not find the table 'public.flims' in the schema cache",
      details: null,
      hint: null,
    });
    expect((await client.from('film').select('*')).error?.hint).toBe(
      "Perhaps you meant the table 'public.films'",
    );
  });
});

describe('order and range', () => {
  it('orders by several terms, nulls where asked', async () => {
    expect(await ids('films?select=id&order=year.desc.nullslast,title.asc')).toEqual([3, 2, 1, 4]);
    expect(await ids('films?select=id&order=year.nullsfirst,id.desc')).toEqual([4, 1, 3, 2]);
    expect(await ids('films?select=id&order=info->country->>code.desc.nullslast,id')).toEqual([3, 1, 2, 4]);
  });

  it('cuts by limit, offset and Range', async () => {
    const page = await client.from('films').select('id').order('id').range(1, 2);
    expect(page.data).toEqual([{ id: 2 }, { id: 3 }]);
    const ranged = await get('films?select=id&order=id', { range: '1-2' });
    expect(await ranged.json()).toEqual([{ id: 2 }, { id: 3 }]);
    expect([ranged.status, ranged.headers.get('content-range')]).toEqual([200, '1-2/*']);
    expect(await ids('films?select=id&order=id&limit=0')).toEqual([]);
  });

  it.each([
    ['films?select=id&offset=5&limit=-5', 200, []],
    ['films?select=id&offset=-4&limit=4', 200, []],
    ['films?select=id&order=id&offset=-4&limit=6', 200, [{ id: 1 }, { id: 2 }]],
    ['films?offset=6&limit=-5', 416, { code: 'PGRST103' }],
    ['films?offset=1&limit=all', 416, { code: 'PGRST103' }],
    ['directors?select=films(id)&id=eq.1&films.offset=5&films.limit=-5', 200, [{ films: [] }]],
    ['directors?select=films(id)&films.limit=-1', 400, { code: '2201W' }],
    ['directors?select=films(id)&films.offset=-1', 400, { code: '2201X' }],
    ['films?select=directors(id)&directors.limit=-1', 400, { code: '2201W' }],
  ])('takes numbers below the first row as PostgREST does: %s', async (path, status, body) => {
    const answer = await get(path);
    expect([answer.status, await answer.json()]).toMatchObject([status, body]);
  });

  it('counts exactly, 206 for a part and 200 for the whole', async () => {
    const part = await client.from('films').select('id', { count: 'exact' }).order('id').limit(2);
    expect([part.count, part.status]).toEqual([4, 206]);
    const whole = await client.from('films').select('id', { count: 'exact' });
    expect([whole.count, whole.status]).toEqual([4, 200]);
    const later = await client.from('films').select('id', { count: 'exact' }).range(3, 9);
    expect([later.count, later.status, later.data?.length]).toEqual([4, 206, 1]);
  });

  it('counts without rows for HEAD', async () => {
    const { count, data, status } = await client
      .from('films')
      .select('*', { count: 'exact', head: true })
      .gt('id', 1);
    expect({ count, data, status }).toEqual({ count: 3, data: null, status: 200 });
  });

  it('estimates with the planner', async () => {
    await server.project.database.query('analyze films');
    const planned = await client.from('films').select('id', { count: 'planned' });
    expect(planned.count).toBe(4);
    const estimated = await client.from('films').select('id', { count: 'estimated' }).limit(1);
    expect([estimated.count, estimated.status]).toEqual([4, 206]);
  });

  it('answers 416 behind the last row and for a backward range', async () => {
    const behind = await get('films?offset=10', { prefer: 'count=exact' });
    expect(behind.status).toBe(416);
    expect(await behind.json()).toMatchObject({
      code: 'PGRST103',
      details: 'An offset of 10 was requested, but there are only 4 rows.',
    });
    expect((await get('films', { range: '5-1' })).status).toBe(416);
  });
});

describe('representations', () => {
  it('gives one object, or PGRST116 when there is not exactly one', async () => {
    expect((await client.from('films').select('id').eq('id', 3).single()).data).toEqual({ id: 3 });
    const { error, status } = await client.from('films').select('id').single();
    expect(status).toBe(406);
    expect(error).toEqual({
      code: 'PGRST116',
      message: 'Cannot coerce the result to a single JSON object',
      details: 'The result contains 4 rows',
      hint: null,
    });
    expect((await client.from('films').select('id').eq('id', 99).maybeSingle()).data).toBeNull();
  });

  it('writes CSV with quotes where they are needed', async () => {
    await server.project.database.query(`insert into people values (9, 'Say "hi", ok', null)`);
    const { data } = await client.from('people').select('id,"full, name":name').eq('id', 9).csv();
    expect(data).toBe('id,"full, name"\n9,"Say ""hi"", ok"');
    expect(await (await get('people?id=eq.77', { accept: 'text/csv' })).text()).toBe('\n');
    await server.project.database.query('delete from people where id = 9');
  });

  it('leaves nulls out when asked', async () => {
    const response = await get('films?select=id,year&id=eq.4', {
      accept: 'application/vnd.pgrst.array+json;nulls=stripped',
    });
    expect(await response.json()).toEqual([{ id: 4 }]);
  });

  it('answers 406 for media types it cannot write', async () => {
    const response = await get('films', { accept: 'image/png' });
    expect([response.status, (await jsonOf(response)).code]).toEqual([406, 'PGRST107']);
  });

  it('names its schema, and refuses others', async () => {
    const named = await get('films?select=id&limit=1', { 'accept-profile': 'public' });
    expect(named.headers.get('content-profile')).toBe('public');
    const other = await get('films', { 'accept-profile': 'auth' });
    expect([other.status, await other.json()]).toEqual([
      406,
      {
        code: 'PGRST106',
        message: 'Invalid schema: auth',
        details: null,
        hint: 'Only the following schemas are exposed: public, pgmq_public',
      },
    ]);
  });
});

describe('a response', () => {
  const wide = Array.from({ length: 80 }, (_, i) => `a${i}:text`).join(',');
  const refusal = {
    code: 'PT413',
    message: 'The response would have more than 67108864 bytes',
    details: null,
    hint: 'Ask for fewer rows or columns, or page through them with limit and offset.',
  };

  it('that would be too long is refused, and a change that it would have told of is undone', async () => {
    await server.project.database.query(
      `create table public.long (id int, text text); grant all on public.long to anon;
       insert into public.long values (1, repeat('x', 1024 * 1024))`,
    );
    const refused = await get(`long?select=${wide}`);
    expect([refused.status, await jsonOf(refused)]).toEqual([413, refusal]);
    const csv = await get(`long?select=${wide}`, { accept: 'text/csv' });
    expect(csv.status).toBe(413);
    const change = await fetch(`${server.url}/rest/v1/long?select=${wide}`, {
      method: 'PATCH',
      headers: {
        apikey: server.keys.publishableKey,
        'content-type': 'application/json',
        prefer: 'return=representation',
      },
      body: '{"id": 2}',
    });
    expect(change.status).toBe(413);
    expect(await ids('long?select=id')).toEqual([1]);
  });
});
