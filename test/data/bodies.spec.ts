import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { limits } from '../../libs/data/src/limits.js';
import type { TestServer } from '../support/server.js';
import { startCinema } from './cinema.js';

let server: TestServer;

beforeAll(async () => {
  server = await startCinema();
  await server.project.database.query(`
    create function length_of(text) returns int language sql immutable as $$ select length($1) $$;
    create function size_of(bytea) returns int language sql immutable as $$ select octet_length($1) $$;
    create function members_of(json) returns int language sql immutable as
      $$ select count(*)::int from json_object_keys($1) $$;
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
  body: string | Uint8Array<ArrayBuffer>,
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

  it('is one row for PUT, and of a repeated name the last field counts', async () => {
    const put = (csv: string) =>
      send('films?id=eq.10&select=title', 'text/csv', csv, 'return=representation', 'PUT');
    expect(await put('title,id,title\nA,10,B')).toEqual([201, [{ title: 'B' }]]);
    expect(await put('id,title\n10,C')).toEqual([200, [{ title: 'C' }]]);
    expect(await put('id,title\n11,C')).toMatchObject([400, { code: 'PGRST115' }]);
  });

  it('has no defaults in the place of its fields', async () => {
    const prefer = 'return=representation, missing=default';
    expect(
      await send('defaults?select=label,place,top', 'text/csv', 'place,label\nNULL,x\n3,\n', prefer),
    ).toEqual([
      201,
      [
        { label: 'x', place: null, top: 1 },
        { label: '', place: 3, top: 1 },
      ],
    ]);
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

describe('a body that is not UTF-8', () => {
  const broken = (text: string) => Uint8Array.from(Buffer.from(text.replace('?', '\xff'), 'latin1'));

  it.each([
    ['films', 'application/json', '{"id":60,"title":"a?b"}', 'Empty or invalid json'],
    ['films?columns=id,title', 'application/json', '{"id":60,"title":"a?b"}', 'Empty or invalid json'],
    ['batch', 'application/json', '{"requests":[{"path":"/films?"}]}', 'Empty or invalid json'],
    ['films', 'text/csv', 'id,title\n60,a?b\n', 'The request body is not UTF-8'],
    ['films', form, 'id=60&title=a?b', 'The request body is not UTF-8'],
  ])('is refused by %s as %s', async (path, type, text, message) => {
    const error = { code: 'PGRST102', message, details: null, hint: null };
    expect(await send(path, type, broken(text))).toEqual([400, error]);
  });

  it('is refused by PostgreSQL where a function takes a text', async () => {
    expect(await send('rpc/length_of', 'text/plain', broken('a?b'))).toMatchObject([
      400,
      { code: '22021', message: 'invalid byte sequence for encoding "UTF8": 0xff' },
    ]);
  });

  it('is taken as it is where it says to be bytes, in letters of any case', async () => {
    for (const type of [
      'application/octet-stream',
      'Application/Octet-Stream',
      'APPLICATION/OCTET-STREAM ; a=b',
    ]) {
      expect(await send('rpc/size_of', type, broken('a?b'))).toEqual([200, 3]);
    }
  });
});

describe('a large body', () => {
  const json = 'application/json';
  const manyKeys = `{${Array.from({ length: limits.columns + 1 }, (_, i) => `"key${i}":1`).join(',')}}`;

  it('may be as many rows as fit into it', async () => {
    const rows = Array.from({ length: 20_000 }, (_, i) => ({ id: i + 1000, title: 'x'.repeat(700) }));
    const minimal = { apikey: server.keys.publishableKey, prefer: 'return=minimal' };
    const [one, ...others] = rows;
    const lines = others.map(({ id, title }) => `${id},${title}`).join('\n');
    for (const [type, body] of [
      [json, JSON.stringify(others)],
      ['text/csv', `id,title\n${lines}`],
    ] as const) {
      expect(await send('films?select=id', json, JSON.stringify(one))).toEqual([201, [{ id: 1000 }]]);
      const headers = { ...minimal, 'content-type': type };
      const response = await fetch(`${server.url}/rest/v1/films`, { method: 'POST', headers, body });
      expect(response.status).toBe(201);
      const { rows: stored } = await server.project.database.query<{ count: string }>(
        'with gone as (delete from films where id > 4 returning length(title) as size) select count(*) from gone where size = 700',
        [],
      );
      expect(Number(stored[0]!.count)).toBe(20_000);
    }
  });

  it('has no more keys than a table may have columns', async () => {
    const message = `The request has more than ${limits.columns} keys in its objects`;
    for (const [path, body] of [
      ['films', manyKeys],
      ['films', `[${manyKeys}]`],
      ['rpc/members_of', `[${manyKeys}]`],
    ] as const) {
      expect(await send(path, json, body)).toMatchObject([400, { code: 'PGRST100', message }]);
    }
  });

  it('may be an object of any size for a function that takes it whole', async () => {
    expect(await send('rpc/members_of', json, manyKeys)).toEqual([200, limits.columns + 1]);
  });

  it('is not sent back in an error', async () => {
    const name = 'x'.repeat(1_000_000);
    for (const [path, body] of [
      ['rpc/nope', manyKeys],
      ['rpc/add', manyKeys],
      ['rpc/add', `{"${name}":1}`],
      ['films', `{"${name}":1}`],
    ] as const) {
      const [status, error] = await send(path, json, body);
      expect([400, 404]).toContain(status);
      expect(error).toMatchObject({ message: expect.stringContaining('…') });
      expect(JSON.stringify(error).length).toBeLessThan(3 * limits.namesInErrorsLength);
    }
  });

  it('of CSV names its columns once, however long their names are', async () => {
    const csv = `${'x'.repeat(100_000)}\n${'1\n'.repeat(20_000)}`;
    expect(await send('films', 'text/csv', csv)).toMatchObject([400, { code: 'PGRST204' }]);
  });
});
