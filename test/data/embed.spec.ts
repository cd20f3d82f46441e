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

describe('embedding', () => {
  it('gives an object for a to-one and an array for a to-many relationship', async () => {
    const film = await client.from('films').select('title,directors(name)').eq('id', 3).single();
    expect(film.data).toEqual({ title: 'Ran', directors: { name: 'Akira Kurosawa' } });
    const director = await client.from('directors').select('name,films(id)').eq('id', 1).single();
    expect(director.data).toEqual({ name: 'Agnès Varda', films: [{ id: 1 }, { id: 2 }] });
  });

  it('gives null and an empty array where nothing is related', async () => {
    const film = await client.from('films').select('directors(name),posters(url)').eq('id', 4).single();
    expect(film.data).toEqual({ directors: null, posters: null });
    const director = await client.from('directors').select('films(id)').eq('id', 3).single();
    expect(director.data).toEqual({ films: [] });
  });

  it('sees that a key is one-to-one', async () => {
    const film = await client.from('films').select('posters(url)').eq('id', 1).single();
    expect(film.data).toEqual({ posters: { url: 'cleo.png' } });
  });

  it('goes through a junction table', async () => {
    const film = await client.from('films').select('actors(name)').eq('id', 1).single();
    expect(film.data).toEqual({ actors: [{ name: 'Corinne Marchand' }] });
    const actor = await client.from('actors').select('films!inner(title)').eq('films.year', 1985).order('id');
    expect(actor.data).toEqual([{ films: [{ title: 'Vagabond' }] }, { films: [{ title: 'Ran' }] }]);
  });

  it('nests, renames, filters, orders and limits what is embedded', async () => {
    const { data } = await client
      .from('directors')
      .select('who:name,works:films(name:title,roles(character,actors(name)))')
      .eq('works.year', 1985)
      .order('title', { referencedTable: 'works', ascending: false })
      .limit(1, { referencedTable: 'works' })
      .eq('id', 1);
    expect(data).toEqual([
      {
        who: 'Agnès Varda',
        works: [{ name: 'Vagabond', roles: [{ character: 'Mona', actors: { name: 'Sandrine Bonnaire' } }] }],
      },
    ]);
  });

  it('leaves out rows without partners for !inner, also from the count', async () => {
    const { data, count } = await client
      .from('films')
      .select('id,directors!inner(name)', { count: 'exact' })
      .eq('directors.name', 'Agnès Varda')
      .order('id');
    expect(data?.map((row) => row.id)).toEqual([1, 2]);
    expect(count).toBe(2);
  });

  it('asks for rows with or without partners by is.null', async () => {
    const without = await client.from('films').select('id,directors()').is('directors', null);
    expect(without.data).toEqual([{ id: 4 }]);
    const either = await client
      .from('films')
      .select('id,directors(),posters()')
      .or('directors.is.null,posters.not.is.null')
      .order('id');
    expect(either.data).toEqual([{ id: 1 }, { id: 4 }]);
  });

  it('orders by a column of a to-one table, and refuses that of a to-many one', async () => {
    const { data } = await client
      .from('films')
      .select('id,directors(name)')
      .order('directors(name)')
      .order('id')
      .limit(3);
    expect(data?.map((row) => row.id)).toEqual([1, 2, 3]);
    const { error } = await client.from('directors').select('id,films(id)').order('films(id)');
    expect(error?.code).toBe('PGRST118');
  });

  it('tells several relationships apart by the foreign key or its column', async () => {
    const ambiguous = await client.from('matches').select('directors(name)');
    expect([ambiguous.status, ambiguous.error?.code]).toEqual([300, 'PGRST201']);
    const { data } = await client
      .from('matches')
      .select('home:directors!matches_home_fkey(name),away:directors!away(name)')
      .single();
    expect(data).toEqual({ home: { name: 'Agnès Varda' }, away: { name: 'Akira Kurosawa' } });
    const byColumn = await client.from('matches').select('home(name)').single();
    expect(byColumn.data).toEqual({ home: { name: 'Agnès Varda' } });
  });

  it('follows a key of a table to itself both ways', async () => {
    const children = await client.from('people').select('name,children:people(name)').eq('id', 1).single();
    expect(children.data).toEqual({ name: 'Ada', children: [{ name: 'Ben' }, { name: 'Cy' }] });
    const parent = await client.from('people').select('name,parent:parent_id(name)').eq('id', 2).single();
    expect(parent.data).toEqual({ name: 'Ben', parent: { name: 'Ada' } });
  });

  it('knows the relationships of views', async () => {
    const { data } = await client.from('old_films').select('name,directors(name)').single();
    expect(data).toEqual({ name: 'Cléo from 5 to 7', directors: { name: 'Agnès Varda' } });
    const back = await client.from('directors').select('old_films(name)').eq('id', 1).single();
    expect(back.data).toEqual({ old_films: [{ name: 'Cléo from 5 to 7' }] });
  });

  it('answers PGRST200 when there is no relationship', async () => {
    const { error, status } = await client.from('films').select('people(*)');
    expect(status).toBe(400);
    expect(error).toMatchObject({
      code: 'PGRST200',
      message: "Could not find a relationship between 'films' and 'people' in the schema cache",
    });
  });
});
