import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DataModule } from '#libs/data';
import { startTestServer, type TestServer } from '../support/server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ modules: [DataModule] });
  await server.project.database.query(`
    create table codes (code text, seconds text, moment text, list text[]);
    insert into codes values ('10110', '90.567', '2026-01-02 03:04:05.678+00', '{ab,cd}')`);
});
afterAll(() => server.close());

/** PostgREST writes the name of a type as it comes, and PostgreSQL's grammar says what it means. */
describe('a cast to a type that the grammar of PostgreSQL spells', () => {
  it.each([
    ['code::char', '1'],
    ['code::CHARACTER', '1'],
    ['code::nchar', '1'],
    ['code::national character', '1'],
    ['code::national character varying', '10110'],
    ['code::char varying', '10110'],
    ['code::bit', '1'],
    ['code::bit varying', '10110'],
    ['code::double precision', 10110],
    ['code::dec', 10110],
    ['seconds::interval', '00:01:30.567'],
    ['seconds::interval second', '00:01:30.567'],
    ['seconds::interval day to minute', '00:01:00'],
    ['moment::timestamp without time zone', '2026-01-02T03:04:05.678'],
    ['moment::time with time zone', '03:04:05.678+00'],
  ])('is what PostgREST makes of %s', async (select, expected) => {
    expect(await valueOf(select)).toEqual(expected);
  });

  it.each([
    ['code::char(3)', '101'],
    ['code::bit(3)', '101'],
    ['code::character varying(3)', '101'],
    ['list::char[]', ['a', 'c']],
    ['seconds::interval(1)', '00:01:30.6'],
    ['moment::timestamp with time zone(0)', '2026-01-02T03:04:06+00:00'],
    // Quoted it is the catalogue's own.
    ['code::bpchar', '10110'],
    ['code::pg_catalog.char', '1'],
  ])('takes a length, a list or a schema, too: %s', async (select, expected) => {
    expect(await valueOf(select)).toEqual(expected);
  });
});

async function valueOf(select: string): Promise<unknown> {
  const response = await fetch(`${server.url}/rest/v1/codes?select=v:${select}`, {
    headers: { apikey: server.keys.publishableKey },
  });
  const rows = (await response.json()) as { v: unknown }[];
  return response.ok ? rows[0]!.v : rows;
}
