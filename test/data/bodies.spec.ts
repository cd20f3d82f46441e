import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestServer } from '../support/server.js';
import { startCinema } from './cinema.js';

let server: TestServer;

beforeAll(async () => {
  server = await startCinema();
  await server.project.database.query(`
    create function described(title text, year int default 0) returns text language sql immutable as
      $$ select title || ' ' || year $$;
    create domain rank as int default 7;
    create table defaults (
      id int generated always as identity, label text default 'none', place rank, top rank default 1,
      doubled text generated always as (label || label) stored);
    create view labelled as select label, place from defaults;
    alter view labelled alter column label set default 'of the view';
  `);
});
afterAll(() => server.close());
beforeEach(() => server.project.database.query('delete from films where id > 4; truncate defaults'));

async function send(
  path: string,
  type: string,
  body: string,
  prefer = 'return=representation',
  method = 'POST',
): Promise<[number, unknown]> {
  const response = await fetch(`${server.url}/rest/v1/${path}`, {
    method,
    body,
    headers: { apikey: server.keys.publishableKey, 'content-type': type, prefer },
  });
  return [response.status, await response.json()];
}

const form = 'application/x-www-form-urlencoded';

describe('a CSV body', () => {
  it('is rows of strings, NULL is null and nothing is empty text', async () => {
    const csv = 'id,title,year,tags\n10,"A ""b"", c",1999,{x}\r\n11,,NULL,"{""y,z""}"\n';
    expect(await send('films?select=id,title,year,tags', 'text/csv', csv)).toEqual([
      201,
      [
        { id: 10, title: 'A "b", c', year: 1999, tags: ['x'] },
        { id: 11, title: '', year: null, tags: ['y,z'] },
      ],
    ]);
  });

  it('may change rows, too', async () => {
    await send('films', 'text/csv', 'id,title\n10,A');
    const [status, rows] = await send(
      'films?id=eq.10&select=title',
      'text/csv',
      'title\nB',
      'return=representation',
      'PATCH',
    );
    expect([status, rows]).toEqual([200, [{ title: 'B' }]]);
  });

  it('with a header alone stores nothing', async () => {
    expect(await send('films', 'text/csv', 'id,title\n')).toEqual([201, []]);
  });

  it.each([
    ['id,title\n10,A\n11', 'All lines must have same number of fields'],
    ['id,title', 'parse error (not enough input) at ""'],
    ['', 'parse error (not enough input) at ""'],
    ['id,title\n10,"A"B', 'parse error (endOfInput) at "B"'],
  ])('%j is refused', async (csv, message) => {
    const error = { code: 'PGRST102', message, details: null, hint: null };
    expect(await send('films', 'text/csv', csv)).toEqual([400, error]);
  });

  it('names columns that there are', async () => {
    expect(await send('films', 'text/csv', 'id,nothing\n10,A')).toMatchObject([400, { code: 'PGRST204' }]);
  });

  it('gives a function its arguments by its first line', async () => {
    expect(await send('rpc/described', 'text/csv', 'title,year\nRan,1985\nVagabond,1')).toEqual([
      200,
      'Ran 1985',
    ]);
  });
});

describe('a form', () => {
  it('is one row', async () => {
    expect(await send('films?select=title,year', form, 'title=Ran+%26+Cl%C3%A9o&year=1985')).toEqual([
      201,
      [{ title: 'Ran & Cléo', year: 1985 }],
    ]);
  });

  it('is arguments of a function', async () => {
    expect(await send('rpc/described', form, 'title=Ran&year=1')).toEqual([200, 'Ran 1']);
    expect(await send('rpc/described', form, 'name=Ran')).toMatchObject([404, { code: 'PGRST202' }]);
  });
});

it('refuses bodies of other types', async () => {
  expect(await send('films', 'text/plain', 'x')).toEqual([
    400,
    { code: 'PGRST102', message: 'Content-Type not acceptable: text/plain', details: null, hint: null },
  ]);
});

it('takes a bare JSON value for no rows', async () => {
  expect(await send('films', 'application/json', '5')).toEqual([201, []]);
});

it('leaves JSON to PostgreSQL when the columns are named', async () => {
  expect(await send('films?columns=title', 'application/json', '{not json')).toMatchObject([
    400,
    { code: '22P02' },
  ]);
  const none = await send(
    'films?id=eq.1&columns=title',
    'application/json',
    '[]',
    'return=representation',
    'PATCH',
  );
  expect(none).toEqual([200, []]);
});

describe('missing=default', () => {
  const json = 'application/json';
  const prefer = 'return=representation, missing=default';

  it('gives the default of the column, else of its domain, where a member is missing', async () => {
    const body = '[{"label":"x","place":null},{"top":5}]';
    expect(await send('defaults?columns=label,place,top&select=label,place,top', json, body, prefer)).toEqual(
      [
        201,
        [
          { label: 'x', place: null, top: 1 },
          { label: 'none', place: 7, top: 5 },
        ],
      ],
    );
  });

  it('gives the default of a view', async () => {
    expect(await send('labelled?columns=label', json, '{}', prefer)).toEqual([
      201,
      [{ label: 'of the view', place: 7 }],
    ]);
  });

  it('does so for updates', async () => {
    await send('defaults', json, '{"label":"x","top":9}');
    const changed = await send(
      'defaults?columns=label,top&select=label,top',
      json,
      '{"top":2}',
      prefer,
      'PATCH',
    );
    expect(changed).toEqual([200, [{ label: 'none', top: 2 }]]);
  });

  it('gives nothing to columns that take no value', async () => {
    for (const column of ['id', 'doubled']) {
      expect(await send(`defaults?columns=label,${column}`, json, '{"label":"x"}', prefer)).toMatchObject([
        400,
        { code: '428C9', message: `cannot insert a non-DEFAULT value into column "${column}"` },
      ]);
    }
  });

  it('keeps every member without it, even one that is there twice', async () => {
    const twice = '{"id":10,"title":"x","info":{"a":1, "a":2}}';
    expect(await send('films?select=info', json, twice)).toEqual([201, [{ info: { a: 2 } }]]);
  });
});
