import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestServer } from '../support/server.js';
import { startCinema } from './cinema.js';
import { getJson, startFestival } from './festival.js';

let server: TestServer;

beforeAll(async () => {
  server = await startFestival({ PGRST_DB_AGGREGATES_ENABLED: 'true' });
});
afterAll(() => server.close());

const get = (path: string) => getJson(server, path);

describe('aggregates', () => {
  it('become one row of all rows', async () => {
    const select = 'sold.sum(),sold.avg(),sold.min(),sold.max(),sold.count()';
    expect(await get(`screenings?select=${select}`)).toEqual([
      { sum: 60, avg: 20, min: 10, max: 30, count: 3 },
    ]);
  });

  it('count rows, or values that are not null', async () => {
    expect(await get('screenings?select=count(),sold:sold.count()')).toEqual([{ count: 4, sold: 3 }]);
  });

  it('are over the rows that the filters leave', async () => {
    expect(await get('screenings?select=sold.sum()&hall_id=eq.1')).toEqual([{ sum: 30 }]);
    expect(await get('screenings?select=sold.sum()&hall_id=eq.9')).toEqual([{ sum: null }]);
  });

  it('are grouped by whatever else is selected', async () => {
    expect(await get('screenings?select=hall_id,total:sold.sum(),count()&order=hall_id')).toEqual([
      { hall_id: 1, total: 30, count: 2 },
      { hall_id: 2, total: 30, count: 2 },
    ]);
    expect(await get('screenings?select=hall:hall_id,count()&order=hall_id.desc')).toEqual([
      { hall: 2, count: 2 },
      { hall: 1, count: 2 },
    ]);
    expect(await get('halls?select=*,count()&id=eq.3')).toEqual([
      { id: 3, name: 'Shut', town: null, facts: {}, place: null, count: 1 },
    ]);
  });

  it('are grouped by a value inside JSON, or by a computed column', async () => {
    expect(
      await get('films?select=info->country->>code,count()&id=lt.4&order=info->country->>code.desc'),
    ).toEqual([
      { code: 'JP', count: 1 },
      { code: 'FR', count: 2 },
    ]);
    expect(await get('films?select=age,count()&order=age&age=not.is.null')).toEqual([
      { age: 15, count: 2 },
      { age: 38, count: 1 },
    ]);
  });

  it('take a cast before and one after', async () => {
    expect(await get('screenings?select=late:facts->>late::int.sum()::text')).toEqual([{ late: '8' }]);
    expect(await get('screenings?select=takings.sum()::int,count()::text')).toEqual([
      { sum: 401, count: '4' },
    ]);
  });

  it('are limited like other rows', async () => {
    expect(await get('screenings?select=hall_id,count()&order=hall_id&limit=1&offset=1')).toEqual([
      { hall_id: 2, count: 2 },
    ]);
  });

  it('count groups as rows', async () => {
    const path = 'screenings?select=hall_id,count()&order=hall_id&limit=1';
    const response = await fetch(`${server.url}/rest/v1/${path}`, {
      headers: { apikey: server.keys.publishableKey, prefer: 'count=exact' },
    });
    expect([response.status, response.headers.get('content-range')]).toEqual([206, '0-0/2']);
  });

  it('work on what functions return and changes touch', async () => {
    expect(await get('rpc/films_of?director=1&select=year.max(),count()')).toEqual([{ max: 1985, count: 2 }]);
    const changed = await getJson(server, 'screenings?hall_id=eq.1&select=hall_id,sold.sum()', {
      method: 'PATCH',
      body: '{"facts":{}}',
      headers: { prefer: 'return=representation' },
    });
    expect(changed).toEqual([{ hall_id: 1, sum: 30 }]);
  });
});

describe('aggregates and embedded tables', () => {
  it('are grouped by what is embedded', async () => {
    expect(await get('screenings?select=sold.sum(),halls(name)&order=hall_id')).toMatchObject({
      code: '42803',
    });
    const rows = (await get('screenings?select=sold.sum(),halls(name)')) as { halls: { name: string } }[];
    expect(rows.toSorted((a, b) => (a.halls.name < b.halls.name ? -1 : 1))).toEqual([
      { sum: 30, halls: { name: 'Lux' } },
      { sum: 30, halls: { name: 'Rex' } },
    ]);
    expect(await get('films?select=count(),actors!roles(name)&id=eq.1')).toEqual([
      { count: 1, actors: [{ name: 'Corinne Marchand' }] },
    ]);
  });

  it('are made inside what is embedded', async () => {
    expect(
      await get('halls?select=name,screenings(film_id,sold.sum())&order=id&screenings.order=film_id&id=lt.3'),
    ).toEqual([
      {
        name: 'Rex',
        screenings: [
          { film_id: 1, sum: 10 },
          { film_id: 2, sum: 20 },
        ],
      },
      {
        name: 'Lux',
        screenings: [
          { film_id: 1, sum: 30 },
          { film_id: 3, sum: null },
        ],
      },
    ]);
    expect(await get('halls?select=screenings(count())&id=eq.3')).toEqual([{ screenings: [{ count: 0 }] }]);
  });

  it('that are spread from a to-one table are made where they arrive', async () => {
    expect(
      await get(
        'screenings?select=sold.sum(),...halls(town,seats:facts->>seats::int.max())&order=halls(town)',
      ),
    ).toEqual([
      { sum: 30, town: 'Caen', seats: 90 },
      { sum: 30, town: 'Paris', seats: 300 },
    ]);
    expect(await get('screenings?select=...films(year.max())')).toEqual([{ max: 1985 }]);
  });

  it('that are spread through several levels are made at the top', async () => {
    expect(
      await get(
        'screenings?select=...films(count(),...directors(name,births:born.count()))&order=films(name)',
      ),
    ).toMatchObject([
      { name: 'Agnès Varda', count: 3, births: 3 },
      { name: 'Akira Kurosawa', count: 1, births: 1 },
    ]);
    expect(
      await get('halls?select=name,screenings(...films(films:count(),...directors(name)))&id=eq.2'),
    ).toEqual([
      {
        name: 'Lux',
        screenings: expect.arrayContaining([
          { films: 1, name: 'Agnès Varda' },
          { films: 1, name: 'Akira Kurosawa' },
        ]),
      },
    ]);
  });

  it('are grouped by arrays and objects that are spread', async () => {
    expect(await get('films?select=count(),...roles(character),posters(url)&id=eq.1')).toEqual([
      { count: 1, character: ['Cléo'], posters: { url: 'no poster' } },
    ]);
    expect(
      await get('screenings?select=count(),...films(directors(name),...roles(character))&id=eq.1'),
    ).toEqual([{ count: 1, directors: { name: 'Agnès Varda' }, character: ['Cléo'] }]);
  });

  it('do not count rows that a spread table lacks', async () => {
    expect(await get('films?select=all:count(),...directors(known:count())')).toEqual([{ all: 4, known: 3 }]);
  });

  it('cannot be spread from a to-many table', async () => {
    const refusal = {
      code: 'PGRST127',
      message: 'Feature not implemented',
      details: 'Aggregates are not implemented for one-to-many or many-to-many spreads.',
      hint: null,
    };
    expect(await get('halls?select=name,...screenings(sold.sum())')).toEqual(refusal);
    expect(await get('halls?select=name,...screenings(id,...films(count()))')).toEqual(refusal);
  });
});

it('are refused unless the operator allows them, wherever they stand', async () => {
  const strict = await startCinema();
  try {
    const refusal = {
      code: 'PGRST123',
      message: 'Use of aggregate functions is not allowed',
      details: null,
      hint: null,
    };
    for (const select of [
      'year.max()',
      'count()',
      'directors(count())',
      '...directors(id.count())',
      '...roles(count())',
    ]) {
      expect(await getJson(strict, `films?select=${select}`)).toEqual(refusal);
    }
    // The column notation of a function, which old clients count with.
    expect(await getJson(strict, 'directors?select=id,films(count)&id=eq.1')).toEqual([
      { id: 1, films: [{ count: 2 }] },
    ]);
  } finally {
    await strict.close();
  }
});
