import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AppError } from '#libs/platform';
import { makePlan } from '../plan/make-plan.js';
import type { HttpRequest } from '../request/http-request.js';
import { parseRequest } from '../request/parse-request.js';
import { relationshipsOf } from '../schema-cache/relationships.js';
import { nameKey, type SchemaCache, type Table } from '../schema-cache/schema-cache.js';
import { defaultSettings } from '../settings/rest-settings.js';
import { toSql } from './to-sql.js';

const schema = cinema();

function cinema(): SchemaCache {
  const table = (name: string, columns: Record<string, string>): [string, Table] => [
    nameKey('public', name),
    {
      schema: 'public',
      name,
      isView: false,
      primaryKey: ['id'],
      columns: new Map(
        Object.entries(columns).map(([column, type]) => [
          column,
          { name: column, type, baseType: type, defaultValue: column === 'year' ? '1900' : null },
        ]),
      ),
    },
  ];
  const key = {
    constraint: 'fk',
    from: { schema: 'public', name: 'films' },
    to: { schema: 'public', name: 'directors' },
    columns: [['director_id', 'id'] as const],
    isOneToOne: false,
    primaryKey: [],
  };
  const parameter = (name: string) => ({ name, type: 'integer', required: true, variadic: false });
  const add = {
    schema: 'public',
    name: 'add',
    parameters: [parameter('a'), parameter('b')],
    returns: { kind: 'scalar' as const, isSet: false, table: undefined },
    isVolatile: false,
    settings: {},
  };
  return {
    schemas: ['public'],
    tables: new Map([
      table('films', {
        id: 'integer',
        title: 'text',
        year: 'integer',
        info: 'jsonb',
        words: 'tsvector',
        director_id: 'integer',
      }),
      table('directors', { id: 'integer', name: 'text' }),
    ]),
    relationships: relationshipsOf({ keys: [key], viewColumns: [], computed: [] }, ['public']),
    functions: new Map([[nameKey('public', 'add'), [add]]]),
    mediaHandlers: { ofTables: new Map(), ofAnything: new Map(), ofFunctions: new Map() },
    version: { changes: '1', isChanging: false },
  };
}

const settings = { ...defaultSettings, aggregatesEnabled: true };

function sqlOf(request: Partial<HttpRequest>) {
  const http = { method: 'GET', path: 'films', query: '', headers: {}, body: undefined, ...request };
  return toSql(makePlan(parseRequest(http, settings), schema, settings));
}

/** What stands between the outer query's FROM and its alias. */
function inner(query: string): string {
  return /from \((.*)\) as galley_row$/.exec(sqlOf({ query }).text)![1]!;
}

const from = 'from "public"."films" as "films"';

describe('reading', () => {
  it('is one statement whose body PostgreSQL writes', () => {
    expect(sqlOf({ query: 'select=id&id=eq.1' })).toEqual({
      text:
        `select galley.bounded(coalesce(json_agg("galley_row".*)::text, '[]'), 67108864) as body, ` +
        `count(*) as page_total, null as total, ` +
        `null as location, null as inserted, ` +
        `nullif(current_setting('response.headers', true), '') as response_headers, ` +
        `nullif(current_setting('response.status', true), '') as response_status ` +
        `from (select "films"."id" as "id" ${from} ` +
        `where "films"."id" = $1 limit $2) as galley_row`,
      values: ['1', 100_000],
      readOnly: true,
      estimate: undefined,
    });
  });

  it.each([
    ['', `select "films".* ${from} limit $1`],
    [
      'select=n:info->a->>0::int',
      `select cast(("films"."info"->$1->>$2::int) as int) as "n" ${from} limit $3`,
    ],
    ['select=title->a', `select (to_jsonb("films"."title")->$1) as "a" ${from} limit $2`],
    ['title=not.like.a*', `select "films".* ${from} where not ("films"."title" like $1) limit $2`],
    ['id=in.(1,2)', `select "films".* ${from} where "films"."id" = any($1) limit $2`],
    [
      'words=fts(english).x',
      `select "films".* ${from} where "films"."words" @@ to_tsquery($1::regconfig, $2) limit $3`,
    ],
    ['title=fts.x', `select "films".* ${from} where to_tsvector("films"."title") @@ to_tsquery($1) limit $2`],
    [
      'or=(id.eq.1,not.and(id.gt.2,id.is.null))',
      `select "films".* ${from} where ("films"."id" = $1 or not ("films"."id" > $2 and "films"."id" is null)) limit $3`,
    ],
    [
      'order=year.desc.nullslast,info->a',
      `select "films".* ${from} order by "films"."year" desc nulls last, ("films"."info"->$1) limit $2`,
    ],
    ['limit=5&offset=2', `select "films".* ${from} limit $1 offset $2`],
    [
      'select=directors!inner(name)',
      `select (select row_to_json("galley_row".*) from (select "directors_1"."name" as "name" from "public"."directors" as "directors_1" where "films"."director_id" = "directors_1"."id" limit 1) as galley_row) as "directors" ${from} where exists (select 1 from "public"."directors" as "directors_1" where "films"."director_id" = "directors_1"."id") limit $1`,
    ],
    [
      'select=id,directors(name)&order=year&offset=20',
      `select "films"."id" as "id", (select row_to_json("galley_row".*) from (select "directors_1"."name" as "name" from "public"."directors" as "directors_1" where "films"."director_id" = "directors_1"."id" limit 1) as galley_row) as "directors" from (select "films"."id", "films"."year", "films"."director_id" ${from} order by "films"."year" limit $1 offset $2) as "films"`,
    ],
    [
      'select=id,...directors(by:name)&order=directors(by)',
      `select "films"."id" as "id", "directors_2"."c1" as "by" ${from} left join lateral (select "directors_1"."name" as "c1" from "public"."directors" as "directors_1" where "films"."director_id" = "directors_1"."id") as "directors_2" on true order by "directors_2"."c1" limit $1`,
    ],
    [
      'select=year,count(),directors(name)&order=year',
      `select "films"."year" as "year", count(1) as "count", "directors_2"."c1" as "directors" ${from} cross join lateral (select (select row_to_json("galley_row".*) from (select "directors_1"."name" as "name" from "public"."directors" as "directors_1" where "films"."director_id" = "directors_1"."id" limit 1) as galley_row)::jsonb as "c1") as "directors_2" group by 1, 3 order by 1 limit $1`,
    ],
  ])('writes %s', (query, expected) => {
    expect(inner(query)).toBe(expected);
  });

  it('makes an array of each column that is spread from many rows', () => {
    const text = sqlOf({
      path: 'directors',
      query: 'select=...films(title)&films.order=year&films.limit=2',
    }).text;
    expect(text).toContain(
      `cross join lateral (select coalesce(json_agg("galley_row"."c1"), '[]') as "c1" from (select "films_1"."title" as "c1" from "public"."films" as "films_1" where "directors"."id" = "films_1"."director_id" order by "films_1"."year" limit $1) as galley_row) as "films_2"`,
    );
  });

  it('has the same text for other values', () => {
    expect(sqlOf({ query: 'id=eq.1&title=in.(a)&limit=1' }).text).toBe(
      sqlOf({ query: 'id=eq.2&title=in.(b,c,d)&limit=9' }).text,
    );
  });
});

describe('writing', () => {
  it('inserts typed rows of the body', () => {
    const query = sqlOf({ method: 'POST', body: '{"id":1,"title":"x"}' });
    expect(query.text).toMatch(
      /^with galley_source as \(insert into "public"."films" as "films" \("id", "title"\) select "galley_body"."id", "galley_body"."title" from json_to_record\(\$1::json\) as galley_body \("id" integer, "title" text\) returning 1\)/,
    );
    expect(query.values).toEqual(['{"id":1,"title":"x"}']);
    expect(query.readOnly).toBe(false);
  });

  it('returns no more columns than it shows', () => {
    const text = (query: string) =>
      sqlOf({ method: 'POST', body: '{"id":1}', query, headers: { prefer: 'return=representation' } }).text;
    expect(text('select=title,directors(name)')).toContain(
      'returning "films"."title", "films"."director_id")',
    );
    expect(text('')).toContain('returning "films".*)');
  });

  it('takes a default only where the body has nothing', () => {
    const { text } = sqlOf({ method: 'POST', body: '[{"year":1}]', headers: { prefer: 'missing=default' } });
    expect(text).toContain('case when galley_item.value ? $1::text then "galley_body"."year" else 1900 end');
  });

  it('updates and deletes the rows that match', () => {
    const update = sqlOf({ method: 'PATCH', query: 'id=eq.1', body: '{"title":"x"}' }).text;
    expect(update).toContain(
      'update "public"."films" as "films" set "title" = "galley_body"."title" from json_to_record($1::json) as galley_body ("title" text) where "films"."id" = $2 returning 1',
    );
    const remove = sqlOf({ method: 'DELETE', query: 'id=eq.1' }).text;
    expect(remove).toContain('delete from "public"."films" as "films" where "films"."id" = $1 returning 1');
  });
});

describe('calling', () => {
  it('passes arguments by name', () => {
    expect(sqlOf({ path: 'rpc/add', query: 'a=1&b=2' })).toMatchObject({
      text: expect.stringContaining(
        'select "public"."add"("a" => $1::integer, "b" => $2::integer) as galley_scalar',
      ),
      values: ['1', '2', 100_000],
      readOnly: true,
    });
    expect(sqlOf({ method: 'POST', path: 'rpc/add', body: '{"b":2,"a":1}' }).text).toContain(
      '"public"."add"("a" => "galley_body"."a", "b" => "galley_body"."b") as galley_scalar from json_to_record($1::json) as galley_body ("a" integer, "b" integer)',
    );
  });
});

describe('whatever a client sends', () => {
  // A word that our own SQL does not hold, among everything that could end a name, a text or a statement.
  const canary = 'zqx';
  const hostile = fc
    .array(
      fc.constantFrom(
        canary,
        '"',
        "'",
        '\\',
        ';',
        '--',
        '/*',
        ')',
        '(',
        '$1',
        ' ',
        ',',
        '.',
        ':',
        '->',
        '>',
        '!',
        '*',
        '\n',
        '$$',
        'é',
        '{',
        '}',
      ),
      { minLength: 1, maxLength: 8 },
    )
    .map((parts) => parts.join('') + canary);
  const places: ((text: string) => Partial<HttpRequest>)[] = [
    (t) => ({ query: `select=${t}` }),
    (t) => ({ query: `select=${t}:id` }),
    (t) => ({ query: `select=id::${t}` }),
    (t) => ({ query: `select=info->${t}` }),
    (t) => ({ query: `select=directors!${t}(id)` }),
    (t) => ({ query: `select=${t}:directors(${t})` }),
    (t) => ({ query: `select=...directors!${t}(${t},n:${t}.max()::${t})` }),
    (t) => ({ query: `select=${t},id.sum()::${t},directors(${t})&order=${t}` }),
    (t) => ({ query: `select=...directors(${t}:name)&order=directors(${t}->${t})` }),
    (t) => ({ path: 'directors', query: `select=...films(${t}:title,${t})&films.order=${t}` }),
    (t) => ({ query: `select=directors(id)&directors.${t}=eq.1&directors.order=${t}` }),
    (t) => ({ query: `${t}=eq.1` }),
    (t) => ({ query: `id=eq.${t}` }),
    (t) => ({ query: `id=in.(${t})` }),
    (t) => ({ query: `id=${t}` }),
    (t) => ({ query: `id=like(any).${t}` }),
    (t) => ({ query: `title=fts(${t}).x` }),
    (t) => ({ query: `info->>${t}=eq.1` }),
    (t) => ({ query: `or=(${t}.eq.1)` }),
    (t) => ({ query: `or=(id.eq.${t})` }),
    (t) => ({ query: `order=${t}` }),
    (t) => ({ query: `order=id.${t}` }),
    (t) => ({ query: `limit=${t}&offset=${t}` }),
    (t) => ({ path: t }),
    (t) => ({ path: 'rpc/add', query: `a=1&b=${t}` }),
    (t) => ({ path: 'rpc/add', query: `a=1&${t}=2` }),
    (t) => ({
      method: 'POST',
      body: JSON.stringify({ title: t }),
      query: `on_conflict=${t}`,
      headers: { prefer: 'resolution=merge-duplicates' },
    }),
    (t) => ({ method: 'POST', body: JSON.stringify({ [t]: 1 }) }),
    (t) => ({ method: 'POST', body: t, query: 'columns=title' }),
    (t) => ({ method: 'POST', body: '{}', query: `columns=${t}` }),
    (t) => ({
      method: 'PATCH',
      body: '{"title":"x"}',
      query: `${t}=eq.1&select=${t}`,
      headers: { prefer: 'return=representation' },
    }),
    (t) => ({ headers: { accept: t, prefer: t, range: t } }),
  ];

  it.each(places.map((place, i) => [i, place] as const))(
    'stays a value or a quoted name (%i)',
    (_, place) => {
      fc.assert(
        fc.property(hostile, (text) => {
          const raw = place(text);
          const request = { ...raw, query: raw.query?.replaceAll(/[^=&]+/g, encodeURIComponent) ?? '' };
          try {
            const unquoted = sqlOf(request).text.replaceAll(/"(?:[^"]|"")*"/g, '');
            expect(unquoted).not.toContain(canary);
            expect(unquoted).not.toContain('"');
          } catch (error) {
            if (!(error instanceof AppError)) throw error;
            expect(error.status).toBeLessThan(500);
          }
        }),
        { numRuns: 200 },
      );
    },
  );

  it('never knows names that every object has', () => {
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      expect(() => sqlOf({ path: name })).toThrow(expect.objectContaining({ code: 'PGRST205' }));
      expect(() => sqlOf({ path: `rpc/${name}` })).toThrow(expect.objectContaining({ code: 'PGRST202' }));
      expect(() => sqlOf({ query: `select=${name}(*)` })).toThrow(
        expect.objectContaining({ code: 'PGRST200' }),
      );
      expect(() => sqlOf({ method: 'POST', body: `{"${name}":1}` })).toThrow(
        expect.objectContaining({ code: 'PGRST204' }),
      );
      expect(inner(`${name}=eq.1`)).toContain(`where "films"."${name}" = $1`);
    }
  });
});
