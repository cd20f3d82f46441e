import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { format } from 'prettier';
import ts from 'typescript';
import { join } from 'node:path';
import { repositoryRoot } from '#libs/platform';
import type { TestServer } from '../support/server.js';
import { jsonOf, startCinema } from './cinema.js';

let server: TestServer;
let types: string;

beforeAll(async () => {
  server = await startCinema();
  await server.project.database.query(`
    create schema archive;
    create type archive.state as enum ('kept', 'lost');
    create table archive.reels (id int primary key, state archive.state);
    create type mood as enum ('glad', 'sad', 'neither of the two', 'both at the same time', 'something else "entirely"');
    create type place as (name text, at point, moods mood[]);
    create domain short as varchar(5);
    create table typed (
      id bigint generated always as identity primary key,
      "odd name" text not null,
      mood mood not null default 'sad',
      moods mood[],
      place place,
      short short,
      data jsonb not null default '{}',
      bytes bytea,
      span int4range,
      state archive.state,
      twice int generated always as (1 + 1) stored
    );
    create table empty ();
    create view typed_view as select id, mood, upper("odd name") as shouted from typed;
    create materialized view counted_films as select count(*) as count from films;
    create function shouted(films) returns text language sql stable as 'select upper($1.title)';
    create function director_of(film films) returns directors language sql stable as
      'select * from directors where id = $1.director_id';
    create function found(words text) returns setof films language sql stable as 'select * from films';
    create function found(year int, words text default '') returns setof films rows 1 language sql stable as
      'select * from films';
    create function unclear(a int) returns int language sql stable as 'select a';
    create function unclear(a text) returns int language sql stable as 'select 1';
    create function uncallable(int, int) returns int language sql stable as 'select 1';
  `);
  types = await typesOf('public');
});
afterAll(() => server.close());

function get(query: string, key = server.keys.secretKey): Promise<Response> {
  return fetch(`${server.url}/v1/projects/local/types/typescript${query}`, { headers: { apikey: key } });
}

async function typesOf(schemas: string): Promise<string> {
  return (await jsonOf<{ types: string }>(await get(`?included_schemas=${schemas}`))).types;
}

/** What stands in `text` under `name`, up to the end of its block. */
function block(text: string, name: string): string {
  const start = new RegExp(`^( *)${name}: \\{\\n[^]*?^\\1\\}\\n`, 'm').exec(text)![0];
  const margin = /^ */.exec(start)![0];
  return start.replaceAll(new RegExp(`^${margin}`, 'gm'), '');
}

describe('the types of a table', () => {
  it('tell what is read, inserted and updated', () => {
    expect(block(types, 'typed')).toBe(`typed: {
  Row: {
    bytes: string | null
    data: Json
    id: number
    mood: Database["public"]["Enums"]["mood"]
    moods: Database["public"]["Enums"]["mood"][] | null
    "odd name": string
    place: Database["public"]["CompositeTypes"]["place"] | null
    short: string | null
    span: unknown
    state: "kept" | "lost" | null
    twice: number | null
  }
  Insert: {
    bytes?: string | null
    data?: Json
    id?: never
    mood?: Database["public"]["Enums"]["mood"]
    moods?: Database["public"]["Enums"]["mood"][] | null
    "odd name": string
    place?: Database["public"]["CompositeTypes"]["place"] | null
    short?: string | null
    span?: unknown
    state?: "kept" | "lost" | null
    twice?: number | null
  }
  Update: {
    bytes?: string | null
    data?: Json
    id?: never
    mood?: Database["public"]["Enums"]["mood"]
    moods?: Database["public"]["Enums"]["mood"][] | null
    "odd name"?: string
    place?: Database["public"]["CompositeTypes"]["place"] | null
    short?: string | null
    span?: unknown
    state?: "kept" | "lost" | null
    twice?: number | null
  }
  Relationships: []
}
`);
    expect(block(types, 'empty')).toContain('Row: {}\n');
  });

  it('tell where its keys lead, and of keys that are unique that one row is there', () => {
    expect(block(types, 'posters')).toContain(`  Relationships: [
    {
      foreignKeyName: "posters_film_id_fkey"
      columns: ["film_id"]
      isOneToOne: true
      referencedRelation: "films"
      referencedColumns: ["id"]
    },
`);
    expect(block(types, 'old_films')).toContain('foreignKeyName: "films_director_id_fkey"');
  });

  it('have columns that functions compute', () => {
    expect(block(types, 'films')).toContain('    shouted: string | null\n');
  });
});

describe('the types of a view', () => {
  it('leave out writing where it cannot be written, and mark columns that cannot', () => {
    expect(block(types, 'counted_films')).not.toContain('Insert');
    expect(block(types, 'typed_view')).toContain(`  Insert: {
    id?: number | null
    mood?: Database["public"]["Enums"]["mood"] | null
    shouted?: never
  }
`);
  });
});

describe('the types of functions', () => {
  it('are one for each overload', () => {
    expect(types).toContain(`      found:
        | {
            Args: { words: string }
            Returns: {
`);
    expect(types).toContain('            Args: { words?: string; year: number }\n');
  });

  it('tell which rows come of which', () => {
    expect(block(types, 'director_of')).toContain(`  SetofOptions: {
    from: "films"
    to: "directors"
    isOneToOne: true
    isSetofReturn: false
  }
`);
  });

  it('name overloads among which none can be chosen, and leave out what cannot be called', () => {
    expect(types).toContain(
      'Could not choose the best candidate function between: public.unclear(a => int4), public.unclear(a => text).',
    );
    expect(types).not.toContain('uncallable');
  });
});

describe('the file', () => {
  it('is formatted as a project formats it', async () => {
    const all = `${types}${await typesOf('archive,public')}`;
    for (const part of ['export type Database', 'export const Constants']) {
      for (const [text] of all.matchAll(new RegExp(`^${part} [^]*?^\\}[^\\n]*\\n`, 'gm'))) {
        expect(await format(text, { parser: 'typescript', semi: false })).toBe(text);
      }
    }
  });

  it('has the values of enums, and the version by which clients choose what they ask for', () => {
    expect(types).toContain(`      mood: [
        "glad",
        "sad",
        "neither of the two",
        "both at the same time",
        'something else "entirely"',
      ],
`);
    expect(types).toMatch(/__InternalSupabase: \{\n {4}PostgrestVersion: "14\.\d+"\n/);
  });

  it('has the schemas that are asked for', async () => {
    const both = await typesOf('archive,public,nothing');
    expect(both).toContain('state: Database["archive"]["Enums"]["state"] | null');
    expect(both).not.toContain('nothing:');
    expect(await jsonOf<{ types: string }>(await get(''))).toEqual({ types });
  });

  it('is for those who manage the project, and for no list of nothing', async () => {
    expect((await get('', server.keys.publishableKey)).status).toBe(403);
    expect((await get('?included_schemas=,')).status).toBe(400);
  });
});

describe('supabase-js', () => {
  /** What TypeScript finds wrong in `program`, a module beside the types. */
  function problemsOf(program: string): string[] {
    const directory = join(repositoryRoot, 'test', 'data');
    const files = new Map([
      [join(directory, 'generated-database.ts'), types],
      [join(directory, 'generated-program.ts'), program],
    ]);
    const options: ts.CompilerOptions = {
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      types: [],
    };
    const host = ts.createCompilerHost(options);
    const { fileExists, readFile, getSourceFile } = host;
    host.fileExists = (name) => files.has(name) || fileExists(name);
    host.readFile = (name) => files.get(name) ?? readFile(name);
    host.getSourceFile = (name, ...rest) => {
      const text = files.get(name);
      return text === undefined ? getSourceFile(name, ...rest) : ts.createSourceFile(name, text, rest[0]);
    };
    const diagnostics = ts.getPreEmitDiagnostics(ts.createProgram([...files.keys()], options, host));
    return diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
  }

  const start = `
    import { createClient } from '@supabase/supabase-js';
    import type { Database, Enums, Tables, TablesInsert } from './generated-database.js';
    const client = createClient<Database>('http://localhost', 'key');
  `;

  it('knows what it is answered, by tsc', () => {
    const program = `${start}
      const { data } = await client.from('films').select('title, year, directors(name), posters(url)').single();
      export const title: string = data!.title;
      export const director: string | undefined = data!.directors?.name;
      export const poster: string | undefined = data!.posters?.url;
      const { data: sum } = await client.rpc('add', { a: 1, b: 2 });
      export const three: number | null = sum;
      const { data: films } = await client.rpc('films_of', { director: 1 }).select('title');
      export const titles: string[] = films!.map((film) => film.title);
      export const note: Tables<'notes'>['body'] = null;
      export const row: TablesInsert<'typed'> = { 'odd name': 'x', mood: 'glad' };
      export const mood: Enums<'mood'> = 'sad';
    `;
    expect(problemsOf(program)).toEqual([]);
  });

  it('refuses what the database would, by tsc', () => {
    const program = `${start}
      await client.from('nothing').select();
      await client.from('typed').insert({ 'odd name': 'x', mood: 'furious' });
      await client.from('typed').insert({ id: 1, 'odd name': 'x' });
      await client.rpc('add', { a: 'one', b: 2 });
    `;
    expect(problemsOf(program).length).toBeGreaterThanOrEqual(4);
  });
});
