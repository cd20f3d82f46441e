import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestServer } from '../support/server.js';
import { getJson, startFestival } from './festival.js';

let server: TestServer;

beforeAll(async () => {
  server = await startFestival();
});
afterAll(() => server.close());

const get = (path: string) => getJson(server, path);

describe('relationships of views', () => {
  it('are those of the tables they show, through views upon views and materialized ones', async () => {
    expect(await get('screening_list?select=number,films(title),halls(name)&number=eq.4')).toEqual([
      { number: 4, films: { title: 'Ran' }, halls: { name: 'Lux' } },
    ]);
    expect(await get('short_list?select=films(title)&number=eq.4')).toEqual([{ films: { title: 'Ran' } }]);
    expect(await get('fixed_list?select=films(title)&number=eq.4')).toEqual([{ films: { title: 'Ran' } }]);
    expect(await get('halls?select=short_list(number)&id=eq.2&short_list.order=number')).toEqual([
      { short_list: [{ number: 2 }, { number: 4 }] },
    ]);
  });

  it('go through a junction that a view shows', async () => {
    expect(await get('films?select=actors!cast_list(name)&id=eq.3')).toEqual([
      { actors: [{ name: 'Tatsuya Nakadai' }] },
    ]);
  });

  it('are not known where a view unites several tables', async () => {
    expect(await get('both_lists?select=films(title)')).toMatchObject({ code: 'PGRST200' });
  });

  it('are told apart by the column where a view repeats it', async () => {
    expect(await get('repeated_list?select=films(title)')).toMatchObject({ code: 'PGRST201' });
    expect(await get('repeated_list?select=films!same_film(title)&id=eq.4')).toEqual([
      { films: { title: 'Ran' } },
    ]);
  });
});

describe('relationships of partitioned tables', () => {
  it('are those of the whole table', async () => {
    expect(await get('visits?select=guests,halls(name)&order=day&limit=1')).toEqual([
      { guests: 7, halls: { name: 'Rex' } },
    ]);
    expect(await get('halls?select=visits(guests)&id=eq.1&visits.order=day')).toEqual([
      { visits: [{ guests: 7 }, { guests: 8 }] },
    ]);
  });

  it('do not lead to one partition, which is no table of its own here', async () => {
    expect(await get('halls?select=visits_2024(guests)')).toEqual({
      code: 'PGRST200',
      message: "Could not find a relationship between 'halls' and 'visits_2024' in the schema cache",
      details:
        "Searched for a foreign key relationship between 'halls' and 'visits_2024' in the schema 'public', but no matches were found.",
      hint: "Perhaps you meant 'visits' instead of 'visits_2024'.",
    });
    expect(await get('visits_2024')).toMatchObject({ code: 'PGRST205' });
  });
});

describe('a request that more than one relationship fits', () => {
  it('is answered with all of them, ordered, and names to choose by', async () => {
    expect(await get('films?select=awards(*)')).toEqual({
      code: 'PGRST201',
      message: "Could not embed because more than one relationship was found for 'films' and 'awards'",
      details: [
        {
          cardinality: 'one-to-many',
          embedding: 'films with awards',
          relationship: 'awards_film using films(id) and awards(film_id)',
        },
        {
          cardinality: 'one-to-many',
          embedding: 'films with awards',
          relationship: 'awards_runner_up using films(id) and awards(runner_up_id)',
        },
      ],
      hint: "Try changing 'awards' to one of the following: 'awards!awards_film', 'awards!awards_runner_up'. Find the desired relationship in the 'details' key.",
    });
  });

  it('through a junction with several keys is told apart by going through it', async () => {
    expect(await get('films?select=prizes(name)')).toMatchObject({
      code: 'PGRST201',
      details: [
        {
          cardinality: 'many-to-many',
          embedding: 'films with prizes',
          relationship: 'awards using awards_film(film_id) and awards_prize(prize_id)',
        },
        {
          cardinality: 'many-to-many',
          embedding: 'films with prizes',
          relationship: 'awards using awards_runner_up(runner_up_id) and awards_prize(prize_id)',
        },
      ],
    });
    const path = (key: string) => `films?select=id,won:awards!${key}!inner(...prizes(name))`;
    expect(await get(path('film_id'))).toEqual([{ id: 3, won: [{ name: 'Gold' }] }]);
    expect(await get(path('awards_runner_up'))).toEqual([{ id: 1, won: [{ name: 'Gold' }] }]);
  });

  it('is 300 Multiple Choices', async () => {
    const response = await fetch(`${server.url}/rest/v1/films?select=awards(*)`, {
      headers: { apikey: server.keys.publishableKey },
    });
    expect(response.status).toBe(300);
  });
});

describe('a request that no relationship fits', () => {
  it('says what it looked for, with the hint it was given', async () => {
    expect(await get('films?select=directors!nothing(*)')).toEqual({
      code: 'PGRST200',
      message: "Could not find a relationship between 'films' and 'directors' in the schema cache",
      details:
        "Searched for a foreign key relationship between 'films' and 'directors' using the hint 'nothing' in the schema 'public', but no matches were found.",
      hint: null,
    });
  });

  it('suggests a name like the one that was meant', async () => {
    expect(await get('films?select=director(*)')).toMatchObject({
      hint: "Perhaps you meant 'directors' instead of 'director'.",
    });
  });
});

describe('what is said of embedded tables', () => {
  it('holds for !inner and is.null as for the rows: an offset behind the last leaves none', async () => {
    const path = 'directors?select=id,films!inner(id)&films.offset=1&order=id';
    expect(await get(path)).toEqual([{ id: 1, films: [{ id: expect.any(Number) }] }]);
    expect(await get('directors?select=id,films()&films=is.null&films.limit=0&order=id')).toHaveLength(3);
  });

  it('limits a to-one table too', async () => {
    expect(await get('films?select=id,directors(id)&directors.limit=0&id=eq.1')).toEqual([
      { id: 1, directors: null },
    ]);
    expect(await get('films?select=id,...directors(name)&directors.offset=1&id=eq.1')).toEqual([
      { id: 1, name: null },
    ]);
  });

  it('orders by a name that the request gave to a column there', async () => {
    expect(
      await get('films?select=id,by:directors(called:name)&order=by(called).desc.nullslast,id&limit=1'),
    ).toMatchObject([{ id: 3 }]);
  });

  it('may be a tree of conditions inside, and across tables outside', async () => {
    expect(await get('directors?select=films(id)&id=eq.1&films.or=(year.lt.1970,title.eq.Ran)')).toEqual([
      { films: [{ id: 1 }] },
    ]);
    expect(
      await get(
        'directors?select=films(roles(film_id))&id=eq.2&films.roles.not.and=(film_id.eq.3,actor_id.eq.3)',
      ),
    ).toEqual([{ films: [{ roles: [] }] }]);
    const across = 'films?select=id,screenings(),directors()&screenings.sold=gt.25&directors.id=eq.2';
    expect(await get(`${across}&or=(screenings.not.is.null,directors.not.is.null)&order=id`)).toEqual([
      { id: 1 },
      { id: 3 },
    ]);
  });
});

describe('select', () => {
  it('with nothing in it means all columns', async () => {
    expect(await get('prizes?select=')).toEqual([{ id: 1, name: 'Gold' }]);
    expect(await get('rpc/one_film?select=')).toMatchObject({ id: 3, title: 'Ran' });
  });

  it('reaches into arrays and composite values', async () => {
    expect(await get('films?select=tags->0,last:tags->>-1&id=eq.1&order=tags->0')).toEqual([
      { tags: 'drama', last: 'paris' },
    ]);
    expect(await get('halls?select=id,place->>lat,place->long&place->lat=gt.49&order=place->>lat')).toEqual([
      { id: 2, lat: '49.2', long: -0.4 },
    ]);
    expect(await get('films?select=id&tags->>0=eq.war')).toEqual([{ id: 3 }]);
  });
});

describe('order', () => {
  it.each([
    ['id.asc.nullslasttt', 17, `unexpected 't' expecting "," or end of input`],
    ['id.ac', 4, `unexpected "c" expecting "asc", "desc", "nullsfirst" or "nullslast"`],
    ['id.descc', 8, `unexpected 'c' expecting delimiter (.), "," or end of input`],
    ['id.asc.nlsfst', 8, `unexpected "l" expecting "nullsfirst" or "nullslast"`],
    ['id.', 4, `unexpected end of input expecting "asc", "desc", "nullsfirst" or "nullslast"`],
    [
      'directors(id,name)',
      10,
      `unexpected '(' expecting letter, digit, "-", "->>", "->", delimiter (.), "," or end of input`,
    ],
  ])('that cannot be read as %s says where and why', async (order, column, details) => {
    expect(await get(`films?order=${order}`)).toEqual({
      code: 'PGRST100',
      message: `"failed to parse order (${order})" (line 1, column ${column})`,
      details,
      hint: null,
    });
  });
});

describe('a page behind an offset', () => {
  it.each([
    'films?select=*,directors(*)&order=id',
    'films?select=title,directors(name),actors!cast_list(name)&order=year.desc.nullslast,id',
    'films?select=actors!cast_list(name)&order=id',
    'films?select=info->country->>code,directors(name,films(title))&order=directors(name),id.desc',
    'films?select=id,directors!inner(name)&directors.id=lt.3&order=id.desc',
    'films?select=id,...directors(name)&order=id',
    'directors?select=*,works(id)&order=id&works.order=id',
    'screening_list?select=number,films(title),halls(name)&order=number',
  ])('is what the whole answer has there: %s', async (path) => {
    const all = (await get(path)) as unknown[];
    expect(all.length).toBeGreaterThan(1);
    expect(await get(`${path}&offset=1&limit=2`)).toEqual(all.slice(1, 3));
  });

  it('shows computed columns and is ordered by them', async () => {
    const all = (await get('films?select=id,headline,directors(name)&order=headline')) as unknown[];
    expect(all.length).toBeGreaterThan(2);
    expect(await get('films?select=id,headline,directors(name)&order=headline&offset=2')).toEqual(
      all.slice(2),
    );
  });

  it('names a column that is not there as ever', async () => {
    expect(await get('films?select=id,nothing,directors(name)&offset=1')).toMatchObject({
      code: '42703',
      message: 'column films.nothing does not exist',
    });
  });
});
