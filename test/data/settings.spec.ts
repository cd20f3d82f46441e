import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import type { TestServer } from '../support/server.js';
import { jsonOf, startCinema } from './cinema.js';

let server: TestServer;

beforeAll(async () => {
  server = await startCinema({ PGRST_DB_MAX_ROWS: '3' });
  await server.project.database.query(`
    create schema archive;
    grant usage on schema archive to anon;
    create table archive.reels (id int primary key);
    grant select on archive.reels to anon;
  `);
});
afterAll(() => server.close());

function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${server.url}/rest/v1/${path}`, {
    headers: { apikey: server.keys.publishableKey, ...headers },
  });
}

const rows = async (path: string) => (await jsonOf<unknown[]>(await get(path))).length;

/** Roles belong to the whole PostgreSQL, so settings of this database alone. */
async function set(setting: string, value: string | undefined): Promise<void> {
  const { database } = server.project;
  const change = value === undefined ? `reset ${setting}` : `set ${setting} = '${value}'`;
  const { rows: names } = await database.query<{ name: string }>('select current_database() as name');
  await database.query(`alter role authenticator in database "${names[0]!.name}" ${change}`);
}

async function reload(): Promise<void> {
  await server.project.database.query(`notify pgrst, 'reload config'`);
}

describe('settings', () => {
  it('are read from the environment', async () => {
    expect(await rows('films')).toBe(3);
  });

  it('of the database stand above those, from its next notification on', async () => {
    await set('pgrst.db_max_rows', '2');
    expect(await rows('films')).toBe(3);
    await reload();
    await eventually(async () => (await rows('films')) === 2);
    await set('pgrst.db_max_rows', undefined);
    await reload();
    await eventually(async () => (await rows('films')) === 3);
  });

  it('make errors minimal, which then tell neither details nor a hint', async () => {
    const misspelt = async () => jsonOf<object>(await get('film'));
    expect(Object.keys(await misspelt())).toEqual(['code', 'message', 'details', 'hint']);
    await set('pgrst.client_error_verbosity', 'minimal');
    await reload();
    await eventually(async () => Object.keys(await misspelt()).length === 2);
    expect(await misspelt()).toEqual({
      code: 'PGRST205',
      message: "Could not find the table 'public.film' in the schema cache",
    });
    await set('pgrst.client_error_verbosity', undefined);
    await reload();
    await eventually(async () => Object.keys(await misspelt()).length === 4);
  });

  it('that are wrong leave the value of before', async () => {
    await set('pgrst.db_max_rows', '1');
    await reload();
    await eventually(async () => (await rows('films')) === 1);
    await set('pgrst.db_max_rows', 'many');
    await set('pgrst.server_timing_enabled', 'true');
    await reload();
    await eventually(async () => (await get('films')).headers.has('server-timing'));
    expect(await rows('films')).toBe(1);
  });

  it('show other schemas without a reload of the schema cache', async () => {
    const reels = { 'accept-profile': 'archive' };
    const refused = await get('reels', reels);
    expect([refused.status, await jsonOf(refused)]).toEqual([
      406,
      {
        code: 'PGRST106',
        details: null,
        hint: 'Only the following schemas are exposed: public, pgmq_public',
        message: 'Invalid schema: archive',
      },
    ]);
    await set('pgrst.db_schemas', 'public, archive');
    // Without a word of what has changed both are read again.
    await server.project.database.query('notify pgrst');
    await eventually(async () => (await get('reels', reels)).ok);
    expect((await get('films')).status).toBe(200);
  });
});

describe('without in-database settings', () => {
  it('only the environment counts', async () => {
    const own = await startCinema({ PGRST_DB_CONFIG: 'false', PGRST_DB_MAX_ROWS: '3' });
    try {
      const { database } = own.project;
      const { rows: names } = await database.query<{ name: string }>('select current_database() as name');
      await database.query(
        `alter role authenticator in database "${names[0]!.name}" set pgrst.db_max_rows = '1'`,
      );
      const films = await fetch(`${own.url}/rest/v1/films`, { headers: { apikey: own.keys.publishableKey } });
      expect(await films.json()).toHaveLength(3);
    } finally {
      await own.close();
    }
  });
});

describe('the function that gives settings', () => {
  it('is called as authenticator, and what the role says stands above it', async () => {
    const own = await startCinema({ PGRST_DB_PRE_CONFIG: 'given.settings' });
    try {
      const { database } = own.project;
      await database.query(`
        create schema given;
        grant usage on schema given to authenticator;
        create function given.settings() returns void language sql as $$
          select set_config('pgrst.db_max_rows', case current_user when 'authenticator' then '2' else '1' end, true),
            set_config('pgrst.server_timing_enabled', 'true', true)
        $$;
      `);
      const { rows: names } = await database.query<{ name: string }>('select current_database() as name');
      await database.query(
        `alter role authenticator in database "${names[0]!.name}" set pgrst.server_timing_enabled = 'false'`,
      );
      const films = await fetch(`${own.url}/rest/v1/films`, { headers: { apikey: own.keys.publishableKey } });
      expect(await films.json()).toHaveLength(2);
      expect(films.headers.has('server-timing')).toBe(false);
    } finally {
      await own.close();
    }
  });
});

describe('timing', () => {
  it('of the steps is told when that is asked for', async () => {
    expect((await get('films')).headers.get('server-timing')).toMatch(
      /^jwt;dur=[\d.]+, parse;dur=[\d.]+, plan;dur=[\d.]+, sql;dur=[\d.]+, transaction;dur=[\d.]+, response;dur=/,
    );
  });
});
