import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SupabaseClient } from '@supabase/supabase-js';
import type { TestServer } from '../support/server.js';
import { startCinema } from './cinema.js';

let server: TestServer;
let client: SupabaseClient;

beforeAll(async () => {
  server = await startCinema();
  client = server.client();
});
afterAll(() => server.close());

async function call(path: string, init: RequestInit = {}): Promise<[number, unknown]> {
  const response = await fetch(`${server.url}/rest/v1/rpc/${path}`, {
    ...init,
    headers: { apikey: server.keys.publishableKey, ...init.headers },
  });
  const text = await response.text();
  return [response.status, text === '' ? null : JSON.parse(text)];
}

describe('rpc', () => {
  it('takes named arguments by POST and by GET', async () => {
    expect((await client.rpc('add', { a: 2, b: 3 })).data).toBe(5);
    expect((await client.rpc('add', { a: 2, b: 3 }, { get: true })).data).toBe(5);
  });

  it('filters, orders, cuts and embeds into the rows of a table', async () => {
    const { data } = await client
      .rpc('films_of', { director: 1 })
      .select('title,directors(name)')
      .gt('year', 1970);
    expect(data).toEqual([{ title: 'Vagabond', directors: { name: 'Agnès Varda' } }]);
    const page = await client
      .rpc('films_of', { director: 1, since: 1 }, { count: 'exact' })
      .select('id')
      .limit(1);
    expect([page.data, page.count, page.status]).toEqual([[{ id: 1 }], 2, 206]);
    expect(await call('films_of?director=1&year=gt.1970&select=id')).toEqual([200, [{ id: 2 }]]);
  });

  it('shows, filters and orders by computed columns of the rows of a table', async () => {
    await server.project.database.query(
      `create function label(films) returns text language sql stable as $$ select $1.id || ' ' || $1.title $$`,
    );
    expect(await call('films_of?director=1&select=id,label&order=label.desc')).toEqual([
      200,
      [
        { id: 2, label: '2 Vagabond' },
        { id: 1, label: '1 Cléo from 5 to 7' },
      ],
    ]);
    expect(await call('films_of?director=1&label=like.2*&select=id,directors(name)')).toEqual([
      200,
      [{ id: 2, directors: { name: 'Agnès Varda' } }],
    ]);
    expect((await call('one_film?select=label'))[1]).toEqual({ label: '3 Ran' });
  });

  it('answers rows, sets of scalars, one row and nothing', async () => {
    expect((await client.rpc('counted', { n: 2 })).data).toEqual([
      { i: 1, double: 2 },
      { i: 2, double: 4 },
    ]);
    expect((await client.rpc('numbers', { n: 3 })).data).toEqual([1, 2, 3]);
    expect((await client.rpc('one_film').select('id')).data).toEqual({ id: 3 });
    expect(await call('touch', { method: 'POST' })).toEqual([204, null]);
  });

  it('gives the whole body to a single unnamed json parameter', async () => {
    expect((await client.rpc('shout', { word: 'hi' })).data).toBe('HI');
  });

  it('collects a variadic parameter', async () => {
    expect(await call('joined?words=a&words=b,"c')).toEqual([200, 'a-b,"c']);
    expect((await client.rpc('joined', { words: ['a', 'b'] })).data).toBe('a-b');
  });

  it('answers PGRST202 for functions and parameters it does not know', async () => {
    const { error, status } = await client.rpc('add', { a: 1, c: 2 });
    expect(status).toBe(404);
    expect(error).toEqual({
      code: 'PGRST202',
      message: 'Could not find the function public.add(a, c) in the schema cache',
      details:
        'Searched for the function public.add with parameters a, c or with a single unnamed json/jsonb parameter, ' +
        'but no matches were found in the schema cache.',
      hint: 'Perhaps you meant to call the function public.add(a, b)',
    });
    expect((await client.rpc('ad')).error?.code).toBe('PGRST202');
  });

  it('refuses to write by GET', async () => {
    await server.project.database.query(
      `create function write_one() returns void language sql as $$ insert into people values (50, 'x') $$`,
    );
    const [status, body] = await call('write_one');
    expect([status, (body as { code: string }).code]).toEqual([405, '25006']);
    expect((await call('write_one', { method: 'DELETE' }))[0]).toBe(405);
  });

  it('calls a function that returns nothing also when it only reads', async () => {
    await server.project.database.query(
      `create function check_only() returns void language plpgsql stable as $$
         begin raise sqlstate 'PT402' using message = 'checked'; end $$;
       notify pgrst, 'reload schema';`,
    );
    for (const method of ['POST', 'GET', 'HEAD']) expect((await call('check_only', { method }))[0]).toBe(402);
  });

  it('lets a function choose its status', async () => {
    expect(await call('teapot', { method: 'POST' })).toEqual([
      418,
      { code: 'PT418', message: 'short and stout', details: null, hint: 'tip me over' },
    ]);
    const { statusText } = await fetch(`${server.url}/rest/v1/rpc/teapot`, {
      method: 'POST',
      headers: { apikey: server.keys.publishableKey },
    });
    expect(statusText).toBe('short and stout');
    await server.project.database.query(`
      create function whole_response() returns void language plpgsql as $$ begin
        raise sqlstate 'PGRST' using message = '{"code":"1","message":"m"}', detail = '{"status":402,"headers":{"X-A":"b"}}';
      end $$`);
    expect(await call('whole_response', { method: 'POST' })).toEqual([
      402,
      { code: '1', message: 'm', details: null, hint: null },
    ]);
  });

  it('tells functions about their request', async () => {
    const { data } = await server.client(server.keys.secretKey).rpc('secretly');
    expect(data).toBe('POST /rpc/secretly');
  });
});
