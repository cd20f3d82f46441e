import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestServer } from '../support/server.js';
import { jsonOf, startCinema } from './cinema.js';

const handlersSql = `
  create domain "text/plain" as text;
  create domain "text/xml" as xml;
  create domain "image/png" as bytea;
  create domain picture as bytea;
  create domain "image/webp" as picture;
  create domain "text/csv" as text;
  create domain "application/vnd.titles" as text;
  create domain "application/vnd.rows" as text;
  create domain "*/*" as bytea;

  create function greeting() returns "text/plain" language sql immutable as $$ select 'Hello, Varda' $$;
  create function note() returns "text/xml" language sql immutable as $$ select '<note/>'::xml $$;
  create function pixel() returns "image/png" language sql immutable as $$ select '\\x00ff89'::bytea $$;
  create function poster(film int) returns "image/webp" language sql stable as
    $$ select decode(url, 'escape')::"image/webp" from posters where film_id = film $$;
  create function greetings() returns setof "text/plain" language sql immutable as $$ select 'Hello' $$;
  create function echo(text) returns "text/plain" language sql immutable as $$ select $1 $$;
  create function same_bytes(bytea) returns "image/png" language sql immutable as $$ select $1 $$;
  create function same_xml(xml) returns "text/xml" language sql immutable as $$ select $1 $$;
  create function chosen() returns "*/*" language plpgsql as $$
    declare accepted text := current_setting('request.headers')::json->>'accept';
    begin
      if accepted = 'film/reel' then
        perform set_config('response.headers', '[{"Content-Type": "film/reel"}, {"Vary": "Accept"}]', true);
      end if;
      return convert_to(accepted, 'utf8');
    end $$;

  create function add_title(state text, film films) returns "application/vnd.titles" language sql immutable as
    $$ select state || film.title || ';' $$;
  create aggregate titles (films) (initcond = '', stype = "application/vnd.titles", sfunc = add_title);
  create function add_row(state text, next anyelement) returns "application/vnd.rows" language sql immutable as
    $$ select state || next::text || ';' $$;
  create aggregate all_rows (anyelement) (initcond = '', stype = "application/vnd.rows", sfunc = add_row);
  create function add_director(state text, next directors) returns "text/csv" language sql immutable as
    $$ select state || next.id || E'\\n' $$;
  create function end_directors(state "text/csv") returns "text/csv" language sql as $$
    select set_config('response.headers', '[{"Content-Disposition": "attachment"}]', true);
    select ('number' || E'\\n' || state)::"text/csv" $$;
  create aggregate numbered (directors) (
    initcond = '', stype = "text/csv", sfunc = add_director, finalfunc = end_directors);
  create view anything as select id from directors;
  create function add_anything(state "*/*", next anything) returns "*/*" language sql immutable as
    $$ select (state || convert_to(next.id::text, 'utf8'))::"*/*" $$;
  create aggregate anything_agg (anything) (initcond = '', stype = "*/*", sfunc = add_anything);

  create function rename("to" text) returns setof people language sql volatile as
    $$ update people set name = "to" where id = 1 returning * $$;

  create schema hidden;
  create domain hidden."text/hidden" as text;
  create function hidden.unseen() returns hidden."text/hidden" language sql as $$ select 'x' $$;
  create view odd_names as select 1 as "a,b", 2 as "c""d";
`;

let server: TestServer;

beforeAll(async () => {
  server = await startCinema({ PGRST_DB_PLAN_ENABLED: 'true' });
  await server.project.database.query(handlersSql);
});
afterAll(() => server.close());

function request(path: string, accept: string, init: RequestInit = {}, from = server): Promise<Response> {
  return fetch(`${from.url}/rest/v1/${path}`, {
    ...init,
    headers: { apikey: from.keys.publishableKey, accept, ...(init.headers as Record<string, string>) },
  });
}

/** Status, media type and text of the answer. */
async function answer(path: string, accept: string, init?: RequestInit): Promise<[number, string, string]> {
  const response = await request(path, accept, init);
  return [response.status, response.headers.get('content-type') ?? '', await response.text()];
}

const post = (body: string | Buffer, type = 'application/json', prefer = ''): RequestInit => ({
  method: 'POST',
  body: body as string,
  headers: { 'content-type': type, prefer },
});

describe('Accept', () => {
  it.each([
    ['*/*', 'application/json; charset=utf-8'],
    ['text/unknown, */*', 'application/json; charset=utf-8'],
    ['text/plain, application/json', 'application/json; charset=utf-8'],
    ['application/json;q=0.5, text/csv', 'text/csv; charset=utf-8'],
    ['text/csv; version=1', 'text/csv; charset=utf-8'],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'application/json; charset=utf-8'],
    ['application/vnd.pgrst.array+json', 'application/json; charset=utf-8'],
  ])('%s is answered with %s', async (accept, type) => {
    expect((await answer('people?select=id', accept))[1]).toBe(type);
  });

  it('of nothing that can be written is refused', async () => {
    const [status, , body] = await answer('films', 'text/html;level=1, image/gif;q=0.9');
    expect(status).toBe(406);
    expect(JSON.parse(body)).toEqual({
      code: 'PGRST107',
      message: 'None of these media types are available: text/html;level=1, image/gif',
      details: null,
      hint: null,
    });
    expect((await answer('films?id=eq.9', 'text/html', { method: 'DELETE' }))[0]).toBe(406);
    expect((await answer('rpc/add?a=1&b=2', 'text/html'))[0]).toBe(406);
  });

  it('is looked at when the table is known', async () => {
    expect(JSON.parse((await answer('nothing', 'text/html'))[2])).toMatchObject({ code: 'PGRST205' });
  });
});

it('says what answers of one address differ by', async () => {
  expect((await request('films', '*/*')).headers.get('vary')).toBe('Accept, Prefer, Range');
  expect((await request('rpc/chosen', 'film/reel')).headers.get('vary')).toBe('Accept');
});

describe('one object', () => {
  it('leaves out nulls when asked', async () => {
    expect(await answer('films?id=eq.4&select=id,year', 'application/vnd.pgrst.object')).toEqual([
      200,
      'application/vnd.pgrst.object+json; charset=utf-8',
      '{"id":4,"year":null}',
    ]);
    expect(
      await answer('films?id=eq.4&select=id,year', 'application/vnd.pgrst.object+json;nulls=stripped'),
    ).toEqual([200, 'application/vnd.pgrst.object+json;nulls=stripped; charset=utf-8', '{"id":4}']);
  });

  it('is not made of more rows or none', async () => {
    const [status, , body] = await answer('films', 'application/vnd.pgrst.object+json;nulls=stripped');
    expect(status).toBe(406);
    expect(JSON.parse(body)).toEqual({
      code: 'PGRST116',
      message: 'Cannot coerce the result to a single JSON object',
      details: 'The result contains 4 rows',
      hint: null,
    });
  });
});

it('leaves nulls out of lists when asked', async () => {
  expect(
    await answer('films?select=id,year&id=gt.2', 'application/vnd.pgrst.array+json;nulls=stripped'),
  ).toEqual([
    200,
    'application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8',
    '[{"id":3,"year":1985},{"id":4}]',
  ]);
});

describe('CSV', () => {
  it('has the names of the columns in its first line', async () => {
    expect(await answer('films?select=id,title,year&id=in.(1,4)&order=id', 'text/csv')).toEqual([
      200,
      'text/csv; charset=utf-8',
      'id,title,year\n1,"Cléo from 5 to 7",1962\n4,Untitled,',
    ]);
    expect((await answer('odd_names', 'text/csv'))[2]).toBe('"a,b","c""d"\n1,2');
  });

  it('of nothing is an empty line', async () => {
    expect((await answer('films?id=eq.99', 'text/csv'))[2]).toBe('\n');
  });

  it('is written of what a change or a function gives', async () => {
    const insert = post('{"id":8,"name":"Eve"}', 'application/json', 'return=representation');
    expect(await answer('people?select=name', 'text/csv', insert)).toEqual([
      201,
      'text/csv; charset=utf-8',
      'name\nEve',
    ]);
    await server.project.database.query('delete from people where id = 8');
    expect((await answer('rpc/counted?n=2', 'text/csv'))[2]).toBe('i,double\n1,2\n2,4');
  });
});

describe('a function that returns a domain named after a media type', () => {
  it('answers that media type', async () => {
    expect(await answer('rpc/greeting', 'text/plain')).toEqual([
      200,
      'text/plain; charset=utf-8',
      'Hello, Varda',
    ]);
    expect(await answer('rpc/note', 'text/xml')).toEqual([200, 'text/xml; charset=utf-8', '<note/>']);
    expect((await answer('rpc/greeting', 'application/json'))[2]).toBe('"Hello, Varda"');
  });

  it('answers bytes as they are', async () => {
    const response = await request('rpc/pixel', 'image/png');
    expect(response.headers.get('content-type')).toBe('image/png');
    expect(Buffer.from(await response.arrayBuffer())).toEqual(Buffer.from([0, 0xff, 0x89]));
    const over = await request('rpc/poster?film=1', 'image/webp');
    expect(await over.text()).toBe('cleo.png');
  });

  it('answers nothing for null', async () => {
    expect(await answer('rpc/poster?film=2', 'image/webp')).toEqual([200, 'image/webp', '']);
  });

  it('does so for one value alone', async () => {
    expect((await answer('rpc/greetings', 'text/plain'))[0]).toBe(406);
    expect((await answer('rpc/greeting', 'text/xml'))[0]).toBe(406);
  });

  it('is told its type by HEAD', async () => {
    expect(await answer('rpc/pixel', 'image/png', { method: 'HEAD' })).toEqual([200, 'image/png', '']);
  });

  it('takes the body as its only argument', async () => {
    expect((await answer('rpc/echo', 'text/plain', post('a "b"', 'text/plain')))[2]).toBe('a "b"');
    expect((await answer('rpc/same_xml', 'text/xml', post('<a>é</a>', 'text/xml')))[2]).toBe('<a>é</a>');
    const bytes = Buffer.from([0, 1, 0xff, 0xfe, 0x80]);
    const response = await request('rpc/same_bytes', 'image/png', post(bytes, 'application/octet-stream'));
    expect(Buffer.from(await response.arrayBuffer())).toEqual(bytes);
  });

  it('named any may answer what it likes', async () => {
    expect(await answer('rpc/chosen', 'film/still')).toEqual([200, 'application/octet-stream', 'film/still']);
    expect(await answer('rpc/chosen', 'film/reel')).toEqual([200, 'film/reel', 'film/reel']);
  });
});

describe('an aggregate that returns such a domain', () => {
  it('writes rows of its table, whole ones', async () => {
    expect(await answer('films?id=lt.3&order=id', 'application/vnd.titles')).toEqual([
      200,
      'application/vnd.titles',
      'Cléo from 5 to 7;Vagabond;',
    ]);
    expect((await answer('rpc/films_of?director=2', 'application/vnd.titles'))[2]).toBe('Ran;');
    expect((await answer('films?select=id,title', 'application/vnd.titles'))[0]).toBe(406);
    expect((await answer('people', 'application/vnd.titles'))[0]).toBe(406);
  });

  it('writes any rows, if it takes any', async () => {
    expect((await answer('people?select=id,name&id=lt.3', 'application/vnd.rows'))[2]).toBe(
      '(1,Ada);(2,Ben);',
    );
    expect((await answer('rpc/add?a=1&b=2', 'application/vnd.rows'))[2]).toBe('3;');
  });

  it('writes what a change gives', async () => {
    const insert = post('{"id":9,"name":"Zoe"}', 'application/json', 'return=representation');
    expect((await answer('people?select=name', 'application/vnd.rows', insert))[2]).toBe('(Zoe);');
    await server.project.database.query('delete from people where id = 9');
  });

  it('stands above what is built in, and may name a file', async () => {
    const response = await request('directors?id=lt.3', 'text/csv');
    expect(await response.text()).toBe('number\n1\n2\n');
    expect(response.headers.get('content-disposition')).toBe('attachment');
    expect((await answer('directors?id=lt.3', 'application/vnd.pgrst.array+json;nulls=stripped'))[0]).toBe(
      200,
    );
  });

  it('named any answers everything', async () => {
    expect(await answer('anything?id=lt.3', 'magic/number')).toEqual([200, 'application/octet-stream', '12']);
    expect((await answer('anything?id=lt.3', '*/*'))[2]).toBe('12');
  });
});

it('GeoJSON is refused where PostGIS is missing', async () => {
  const [status, , body] = await answer('films', 'application/geo+json');
  expect([status, JSON.parse(body)]).toMatchObject([
    404,
    { code: '42883', message: 'function st_asgeojson(record) does not exist' },
  ]);
});

describe('a plan', () => {
  it('is written in JSON', async () => {
    const [status, type, body] = await answer('films?id=eq.1', 'application/vnd.pgrst.plan+json');
    expect([status, type]).toEqual([
      200,
      'application/vnd.pgrst.plan+json; for="application/json"; charset=utf-8',
    ]);
    expect(JSON.parse(body)[0].Plan['Total Cost']).toBeGreaterThan(0);
    expect(body).toMatch(/^\[\n {2}\{\n {4}"Plan": \{/);
  });

  it('is written as text by default, with what is asked for', async () => {
    const [, type, body] = await answer(
      'rpc/films_of?director=1',
      'application/vnd.pgrst.plan; for="text/csv"; options=analyze|verbose',
    );
    expect(type).toBe(
      'application/vnd.pgrst.plan+text; for="text/csv"; options=analyze|verbose; charset=utf-8',
    );
    expect(body).toMatch(/^Aggregate .*actual[^]*Output:[^]*Execution Time: .*\n$/);
  });

  it('of a change changes nothing', async () => {
    const [status] = await answer('people', 'application/vnd.pgrst.plan', post('{"id":70,"name":"x"}'));
    expect(status).toBe(200);
    expect((await answer('people?id=eq.70', '*/*'))[2]).toBe('[]');
  });

  it.each([
    ['PATCH', 'people?id=eq.1', { name: 'New' }],
    ['POST', 'rpc/rename', { to: 'New' }],
  ])(
    'of a change that runs leaves nothing behind where rows are bounded: %s %s',
    async (method, path, body) => {
      const nameAfter = async (prefer: string) => {
        const headers = { 'content-type': 'application/json', prefer };
        const init = { method, body: JSON.stringify(body), headers };
        const [status, , plan] = await answer(path, 'application/vnd.pgrst.plan; options=analyze', init);
        expect([status, plan]).toEqual([200, expect.stringContaining('Execution Time')]);
        return (await answer('people?id=eq.1&select=name', 'text/csv'))[2];
      };
      await server.project.database.query(`update people set name = 'Old' where id = 1`);
      expect(await nameAfter('handling=strict, max-affected=0')).toBe('name\nOld');
      expect(await nameAfter('max-affected=0')).toBe('name\nNew');
    },
  );

  it('is only of what could be written', async () => {
    const [status, , body] = await answer('people', 'application/vnd.pgrst.plan; for="image/gif"');
    expect(status).toBe(406);
    expect(JSON.parse(body).message).toBe(
      'None of these media types are available: application/vnd.pgrst.plan+text; for="image/gif"',
    );
  });

  it('is not shown unless settings allow it', async () => {
    const closed = await startCinema();
    try {
      const response = await request('films', 'application/vnd.pgrst.plan+json', {}, closed);
      expect(response.status).toBe(406);
      expect(await jsonOf(response)).toMatchObject({
        code: 'PGRST107',
        message:
          'None of these media types are available: application/vnd.pgrst.plan+json; for="application/json"',
      });
    } finally {
      await closed.close();
    }
  });
});
