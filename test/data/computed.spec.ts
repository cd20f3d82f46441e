import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestServer } from '../support/server.js';
import { getJson, startFestival } from './festival.js';

let server: TestServer;

beforeAll(async () => {
  server = await startFestival();
});
afterAll(() => server.close());

const get = (path: string) => getJson(server, path);

describe('functions as relationships', () => {
  it('give an object for one row and an array for many', async () => {
    expect(await get('films?select=id,maker(name)&id=gte.3&order=id')).toEqual([
      { id: 3, maker: { name: 'Akira Kurosawa' } },
      { id: 4, maker: null },
    ]);
    expect(await get('films?select=by:single_maker(name)&id=eq.3')).toEqual([
      { by: { name: 'Akira Kurosawa' } },
    ]);
    expect(await get('directors?select=works(id)&order=id&works.order=id.desc')).toEqual([
      { works: [{ id: 2 }, { id: 1 }] },
      { works: [{ id: 3 }] },
      { works: [] },
    ]);
  });

  it('tell the tables apart that have functions of one name', async () => {
    expect(await get('halls?select=works(id)&id=eq.2&works.order=id')).toEqual([
      { works: [{ id: 1 }, { id: 3 }] },
    ]);
  });

  it('stand above the foreign keys that lead to the table of their name', async () => {
    expect(await get('films?select=posters(url)&id=eq.1')).toEqual([{ posters: { url: 'no poster' } }]);
  });

  it('lead from a table to itself both ways', async () => {
    expect(await get('films?select=id,prequel(id),sequel(id,sequel(id))&id=eq.2')).toEqual([
      { id: 2, prequel: { id: 1 }, sequel: { id: 3, sequel: { id: 4 } } },
    ]);
  });

  it('are filtered, ordered by, nested and spread like others', async () => {
    expect(await get('directors?select=id,works!inner(id)&works.year=gt.1970&order=id')).toEqual([
      { id: 1, works: [{ id: 2 }] },
      { id: 2, works: [{ id: 3 }] },
    ]);
    expect(await get('films?select=id,maker()&maker=is.null')).toEqual([{ id: 4 }]);
    expect(await get('films?select=id,maker(born)&order=maker(born).nullsfirst,id')).toMatchObject([
      { id: 4 },
      { id: 3 },
      { id: 1 },
      { id: 2 },
    ]);
    expect(await get('screenings?select=films(maker(films(id)))&id=eq.4')).toEqual([
      { films: { maker: { films: [{ id: 3 }] } } },
    ]);
    expect(await get('directors?select=...works(titles:title,...maker(by:name))&id=eq.2')).toEqual([
      { titles: ['Ran'], by: ['Akira Kurosawa'] },
    ]);
  });

  it('refuse an order by what gives many rows', async () => {
    expect(await get('directors?select=id,works(id)&order=works(id)')).toEqual({
      code: 'PGRST118',
      message: "A related order on 'works' is not possible",
      details: "'directors' and 'works' do not form a many-to-one or one-to-one relationship",
      hint: null,
    });
  });

  it('start from what a function returns and a change touches', async () => {
    expect(await get('rpc/films_of?director=2&select=id,maker(name)')).toEqual([
      { id: 3, maker: { name: 'Akira Kurosawa' } },
    ]);
    const changed = await getJson(server, 'films?id=eq.3&select=title,maker(name)', {
      method: 'PATCH',
      body: '{"title":"Ran"}',
      headers: { prefer: 'return=representation' },
    });
    expect(changed).toEqual([{ title: 'Ran', maker: { name: 'Akira Kurosawa' } }]);
  });

  it('count rows exactly', async () => {
    const response = await fetch(`${server.url}/rest/v1/films?select=id,maker!inner(id)&limit=1`, {
      headers: { apikey: server.keys.publishableKey, prefer: 'count=exact' },
    });
    expect(response.headers.get('content-range')).toBe('0-0/3');
  });
});

describe('functions as columns', () => {
  it('are selected by name, beside * and inside what is embedded', async () => {
    expect(await get('films?select=headline&id=eq.3')).toEqual([{ headline: 'RAN' }]);
    expect(await get('films?select=*,headline&id=eq.3')).toMatchObject([{ id: 3, headline: 'RAN' }]);
    expect(await get('directors?select=films(loud:headline)&id=eq.2')).toEqual([
      { films: [{ loud: 'RAN' }] },
    ]);
    expect(await get('screenings?select=...films(headline,age::text)&id=eq.4')).toEqual([
      { headline: 'RAN', age: '15' },
    ]);
  });

  it('are computed of what a function returns and a change touches', async () => {
    expect(await get('rpc/films_of?director=1&select=id,age,maker(name)&headline=like.V*')).toEqual([
      { id: 2, age: 15, maker: { name: 'Agnès Varda' } },
    ]);
    const response = await fetch(`${server.url}/rest/v1/halls?id=eq.2&select=*,age,works(id)&works.limit=1`, {
      method: 'PATCH',
      body: '{"town":"Caen"}',
      headers: {
        apikey: server.keys.publishableKey,
        'content-type': 'application/json',
        prefer: 'return=representation',
      },
    });
    const body = await response.text();
    expect(JSON.parse(body)).toEqual([expect.objectContaining({ id: 2, town: 'Caen', age: 90 })]);
    expect(body.match(/"age"/g)).toHaveLength(1);
  });

  it('are no part of *', async () => {
    const [row] = (await get('films?id=eq.3')) as object[];
    expect(row).not.toHaveProperty('headline');
  });

  it('are filtered and ordered by', async () => {
    expect(await get('films?select=id&headline=like.R*')).toEqual([{ id: 3 }]);
    expect(await get('films?select=id&or=(age.gt.20,headline.eq.RAN)&order=age')).toEqual([
      { id: 3 },
      { id: 1 },
    ]);
    expect(await get('directors?select=films(id)&id=eq.1&films.order=age.desc')).toEqual([
      { films: [{ id: 1 }, { id: 2 }] },
    ]);
    expect(await get('screenings?select=id,films(id)&order=films(age).desc,id&limit=2')).toMatchObject([
      { id: 1 },
      { id: 2 },
    ]);
  });
});
