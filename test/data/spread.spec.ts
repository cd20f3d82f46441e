import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestServer } from '../support/server.js';
import { getJson, startFestival } from './festival.js';

let server: TestServer;

beforeAll(async () => {
  server = await startFestival();
});
afterAll(() => server.close());

const get = (path: string) => getJson(server, path);

describe('spreading a to-one table', () => {
  it('lifts its columns, renamed or not, and gives nulls where there is none', async () => {
    expect(await get('films?select=id,...directors(name,by:born)&id=gte.3&order=id')).toEqual([
      { id: 3, name: 'Akira Kurosawa', by: '1910-03-23' },
      { id: 4, name: null, by: null },
    ]);
  });

  it('takes all columns, casts and JSON paths', async () => {
    expect(await get('screenings?select=id,...halls(*)&id=eq.2')).toEqual([
      { id: 2, name: 'Lux', town: 'Caen', facts: { seats: 90 }, place: { lat: 49.2, long: -0.4 } },
    ]);
    expect(await get('screenings?select=...halls(hall:id::text,facts->>seats)&id=eq.2')).toEqual([
      { hall: '2', seats: '90' },
    ]);
  });

  it('goes through several levels, and inside an embedded table', async () => {
    expect(await get('screenings?select=...films(title,...directors(by:name))&id=eq.1')).toEqual([
      { title: 'Cléo from 5 to 7', by: 'Agnès Varda' },
    ]);
    expect(
      await get('halls?select=name,screenings(sold,...films(title))&id=eq.2&screenings.order=id'),
    ).toEqual([
      {
        name: 'Lux',
        screenings: [
          { sold: 30, title: 'Cléo from 5 to 7' },
          { sold: null, title: 'Ran' },
        ],
      },
    ]);
  });

  it('lifts what is embedded in it', async () => {
    expect(await get('screenings?select=...films(directors(name),roles(character))&id=eq.1')).toEqual([
      { directors: { name: 'Agnès Varda' }, roles: [{ character: 'Cléo' }] },
    ]);
  });

  it('moves the columns of a junction beside those behind it', async () => {
    expect(await get('films?select=cast:roles(character,...actors(name))&id=eq.1')).toEqual([
      { cast: [{ character: 'Cléo', name: 'Corinne Marchand' }] },
    ]);
  });

  it('filters, orders by it, and leaves out rows without it', async () => {
    const path = 'films?select=id,...directors(by:name)&order=directors(by).desc.nullslast,id';
    expect(await get(path)).toEqual([
      { id: 3, by: 'Akira Kurosawa' },
      { id: 1, by: 'Agnès Varda' },
      { id: 2, by: 'Agnès Varda' },
      { id: 4, by: null },
    ]);
    expect(await get(`films?select=id,...directors(by:name)&directors.id=eq.2&id=gte.2&order=id`)).toEqual([
      { id: 2, by: null },
      { id: 3, by: 'Akira Kurosawa' },
      { id: 4, by: null },
    ]);
    expect(await get('films?select=id,...directors!inner(by:name)&directors.id=eq.2')).toEqual([
      { id: 3, by: 'Akira Kurosawa' },
    ]);
    expect(await get('films?select=id,...directors()&directors=is.null')).toEqual([{ id: 4 }]);
  });

  it('orders by a column that it does not lift', async () => {
    expect(await get('films?select=id,...directors(by:name)&order=directors(born),id&limit=2')).toEqual([
      { id: 3, by: 'Akira Kurosawa' },
      { id: 1, by: 'Agnès Varda' },
    ]);
  });
});

describe('spreading a to-many table', () => {
  it('makes an array of each column, empty where there are no rows', async () => {
    expect(await get('directors?select=id,...films(title,year)&order=id&films.order=id')).toEqual([
      { id: 1, title: ['Cléo from 5 to 7', 'Vagabond'], year: [1962, 1985] },
      { id: 2, title: ['Ran'], year: [1985] },
      { id: 3, title: [], year: [] },
    ]);
  });

  it('keeps the arrays of one table in one order, whether or not it selects what it orders by', async () => {
    expect(await get('directors?select=...films(titles:title,ids:id)&id=eq.1&films.order=year.desc')).toEqual(
      [{ titles: ['Vagabond', 'Cléo from 5 to 7'], ids: [2, 1] }],
    );
    expect(await get('halls?select=...screenings(ids:id)&id=eq.1&screenings.order=facts->late.desc')).toEqual(
      [{ ids: [1, 3] }],
    );
    expect(
      await get('halls?select=...screenings(ids:id,films())&id=eq.1&screenings.order=films(title).desc'),
    ).toEqual([{ ids: [3, 1] }]);
  });

  it('limits and filters before it makes arrays', async () => {
    expect(await get('directors?select=...films(id)&id=eq.1&films.order=id.desc&films.limit=1')).toEqual([
      { id: [2] },
    ]);
    expect(await get('directors?select=...films(id)&id=eq.1&films.year=gt.1970')).toEqual([{ id: [2] }]);
  });

  it('writes all columns out', async () => {
    expect(await get('directors?select=id,...matches!matches_home_fkey(*)&id=in.(1,2)&order=id')).toEqual([
      { id: [1], home: [1], away: [2] },
      { id: [], home: [], away: [] },
    ]);
  });

  it('goes through junctions, and makes arrays of arrays below', async () => {
    expect(await get('films?select=...actors!roles(name)&id=eq.1')).toEqual([{ name: ['Corinne Marchand'] }]);
    expect(
      await get(
        'directors?select=...films(title,...roles(character),posters(url),halls:screenings(id))&id=eq.1&films.order=id&films.halls.order=id',
      ),
    ).toEqual([
      {
        title: ['Cléo from 5 to 7', 'Vagabond'],
        character: [['Cléo'], ['Mona']],
        posters: [{ url: 'no poster' }, { url: 'no poster' }],
        halls: [[{ id: 1 }, { id: 2 }], [{ id: 3 }]],
      },
    ]);
  });

  it('shows a null of a row, and a null for what a to-one table below lacks', async () => {
    expect(
      await get('halls?select=...screenings(sold,...films(by:directors(name)))&id=eq.2&screenings.id=eq.4'),
    ).toEqual([{ sold: [null], by: [{ name: 'Akira Kurosawa' }] }]);
  });

  it('leaves out rows without partners for !inner', async () => {
    expect(await get('directors?select=id,...films!inner(titles:title)&films.year=gt.1970&order=id')).toEqual(
      [
        { id: 1, titles: ['Vagabond'] },
        { id: 2, titles: ['Ran'] },
      ],
    );
  });
});

it('spreads into what a change or a function returns', async () => {
  const changed = await getJson(
    server,
    'screenings?id=eq.1&select=id,...films(title,...directors(by:name))',
    {
      method: 'PATCH',
      body: '{"sold":10}',
      headers: { prefer: 'return=representation' },
    },
  );
  expect(changed).toEqual([{ id: 1, title: 'Cléo from 5 to 7', by: 'Agnès Varda' }]);
  expect(await get('rpc/one_film?select=title,...directors(by:name),...roles(character)')).toEqual({
    title: 'Ran',
    by: 'Akira Kurosawa',
    character: ['Hidetora'],
  });
});

it('makes CSV of what it lifts', async () => {
  const response = await fetch(`${server.url}/rest/v1/films?select=id,...directors(by:name)&id=eq.3`, {
    headers: { apikey: server.keys.publishableKey, accept: 'text/csv' },
  });
  expect(await response.text()).toBe('id,by\n3,"Akira Kurosawa"');
});
