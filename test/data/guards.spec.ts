import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import type { TestServer } from '../support/server.js';
import { jsonOf, startCinema, tokenOf } from './cinema.js';

const ann = '00000000-0000-4000-8000-00000000000a';

let server: TestServer;
let database: string;

beforeAll(async () => {
  server = await startCinema({ PGRST_DB_PLAN_ENABLED: 'true' });
  const { rows } = await server.project.database.query<{ name: string }>('select current_database() as name');
  database = rows[0]!.name;
  await server.project.database.query(`
    create table logs (id int primary key, line text);
    insert into logs select i, 'line ' || i from generate_series(1, 5000) as i;
    analyze logs;
    create table tries (at timestamptz default now());
    create function first_log() returns setof logs language sql stable as 'select * from logs where id = 1';
    create function all_logs() returns setof logs language sql stable as 'select * from logs';
    create function films_by(directors) returns setof films language sql stable as
      'select * from films where director_id = $1.id';
    create table drafts (id int primary key, body text);
    insert into drafts select i, 'draft' from generate_series(1, 5) as i;
  `);
});
afterAll(() => server.close());

function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { apikey: server.keys.publishableKey, ...(init.headers as Record<string, string>) };
  return fetch(`${server.url}/rest/v1/${path}`, { ...init, headers });
}

/** Roles belong to the whole PostgreSQL, so settings of this database alone. */
async function set(role: string, settings: Record<string, string | undefined>): Promise<void> {
  for (const [name, value] of Object.entries(settings)) {
    const change = value === undefined ? `reset ${name}` : `set ${name} = '${value}'`;
    await server.project.database.query(`alter role ${role} in database "${database}" ${change}`);
  }
  await server.project.database.query(`notify pgrst, 'reload config'`);
}

const rowsOf = async (response: Response) => (await jsonOf<unknown[]>(response)).length;
const statusOf = async (path: string, init?: RequestInit) => (await ask(path, init)).status;

describe('the highest cost of a plan', () => {
  const error = {
    code: '54001',
    message: expect.stringMatching(
      /^The plan of the request costs [\d.]+, and those of your role may cost 50$/,
    ),
    details: 'PostgreSQL estimates the cost before it runs a statement; this one was not run.',
    hint: expect.stringContaining('galley.max_plan_cost'),
  };

  beforeAll(async () => {
    expect(await statusOf('logs')).toBe(200);
    await set('anon', { 'galley.max_plan_cost': '50' });
    await eventually(async () => (await statusOf('logs')) === 400);
  });
  afterAll(async () => {
    await set('anon', { 'galley.max_plan_cost': undefined });
    await eventually(async () => (await statusOf('logs')) === 200);
  });

  it('refuses what would cost more, with the cost and the limit', async () => {
    const response = await ask('logs?line=like.*9*');
    expect(response.status).toBe(400);
    expect(response.headers.get('proxy-status')).toBe('PostgREST; error=54001');
    expect(await response.json()).toEqual(error);
  });

  it('lets pass what costs less', async () => {
    expect(await jsonOf(await ask('logs?id=eq.7'))).toEqual([{ id: 7, line: 'line 7' }]);
    expect(await rowsOf(await ask('rpc/first_log?id=eq.1'))).toBe(1);
    const headers = { 'content-type': 'application/json' };
    expect(await statusOf('tries', { method: 'POST', headers, body: '{}' })).toBe(201);
  });

  it('refuses calls of functions, too', async () => {
    expect(await (await ask('rpc/all_logs?line=like.*9*')).json()).toEqual(error);
    const call = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };
    expect(await (await ask('rpc/all_logs?line=like.*9*', call)).json()).toEqual(error);
  });

  it('refuses a change before anything has changed', async () => {
    const response = await ask('logs?line=like.line*', { method: 'DELETE' });
    expect([response.status, await response.json()]).toEqual([400, error]);
    const { rows } = await server.project.database.query('select count(*)::int as count from logs');
    expect(rows).toEqual([{ count: 5000 }]);
  });

  it('counts the counting of rows with the rest', async () => {
    expect(await statusOf('logs?limit=1')).toBe(200);
    expect(await statusOf('logs?limit=1', { headers: { prefer: 'count=exact' } })).toBe(400);
    expect(await statusOf('logs?limit=1', { headers: { prefer: 'count=planned' } })).toBe(206);
  });

  it('lets a costly plan be looked at but not be run', async () => {
    const accept = (options: string) => ({ headers: { accept: `application/vnd.pgrst.plan${options}` } });
    expect(await statusOf('logs', accept('+text'))).toBe(200);
    expect(await statusOf('logs', accept('+text; options=analyze'))).toBe(400);
    expect(await statusOf('logs?id=eq.1', accept('+text; options=analyze'))).toBe(200);
  });

  it('holds for what is explained, which runs', async () => {
    const { secretKey, publishableKey } = server.keys;
    const headers = { apikey: secretKey, prefer: 'explain=policies', 'galley-explain-as': publishableKey };
    const report = await jsonOf<{ outcome: unknown }>(await ask('logs?line=like.*9*', { headers }));
    expect(report.outcome).toEqual({ succeeds: false, status: 400, error });
  });

  it('is the role’s alone', async () => {
    const authorization = `Bearer ${await tokenOf(server, ann)}`;
    expect(await statusOf('logs', { headers: { authorization } })).toBe(200);
  });
});

describe('the highest depth of embedding', () => {
  const deep = 'films?select=title,directors(name,films(title))';

  beforeAll(async () => {
    expect(await statusOf(deep)).toBe(200);
    await set('anon', { 'galley.max_embed_depth': '1' });
    await eventually(async () => (await statusOf(deep)) === 400);
  });
  afterAll(async () => {
    await set('anon', { 'galley.max_embed_depth': undefined });
    await eventually(async () => (await statusOf(deep)) === 200);
  });

  it('refuses what is embedded deeper, with the depth and the limit', async () => {
    expect(await jsonOf(await ask(deep))).toEqual({
      code: 'PGRST100',
      message: 'The request embeds tables 2 deep, and your role may embed them 1 deep',
      details: 'Spread tables and computed relationships count as embedded ones.',
      hint: 'Ask for the deeper tables in a request of their own, or have galley.max_embed_depth raised for the role.',
    });
    expect(await statusOf('films?select=title,directors(name),posters(url)')).toBe(200);
  });

  it('is that of the role that is explained', async () => {
    const { secretKey, publishableKey } = server.keys;
    const headers = { apikey: secretKey, prefer: 'explain=policies' };
    expect(await statusOf(deep, { headers })).toBe(200);
    const explained = { headers: { ...headers, 'galley-explain-as': publishableKey } };
    expect((await jsonOf(await ask(deep, explained))).code).toBe('PGRST100');
  });

  it('counts what is spread, computed, returned by a change or given by a function', async () => {
    expect(await statusOf('films?select=title,...directors(...films(title))')).toBe(400);
    expect(await statusOf('films?select=title,directors(films_by(title))')).toBe(400);
    expect(await statusOf('directors?select=name,films_by(title)')).toBe(200);
    const headers = { 'content-type': 'application/json', prefer: 'return=representation, tx=rollback' };
    const change = { method: 'PATCH', headers, body: '{"year":1}' };
    expect(await statusOf('films?id=eq.0&select=id,directors(films(id))', change)).toBe(400);
    expect(await statusOf('rpc/films_of?director=1&select=id,directors(films(id))')).toBe(400);
    expect(await statusOf('rpc/films_of?director=1&select=id,directors(id)')).toBe(200);
  });
});

describe('the most rows of a role', () => {
  const json = { 'content-type': 'application/json' };
  const shown = { ...json, prefer: 'return=representation' };

  beforeAll(async () => {
    await set('anon', { 'galley.max_rows': '2' });
    await eventually(async () => (await rowsOf(await ask('logs'))) === 2);
  });
  afterAll(async () => {
    await set('anon', { 'galley.max_rows': undefined });
    await eventually(async () => (await rowsOf(await ask('logs'))) > 2);
  });

  it('cut what is read, whatever is asked for', async () => {
    const response = await ask('logs?limit=4000', { headers: { prefer: 'count=exact' } });
    expect([response.status, response.headers.get('content-range')]).toEqual([206, '0-1/5000']);
    const ranged = await ask('logs', { headers: { range: '10-4000' } });
    expect([ranged.headers.get('content-range'), await rowsOf(ranged)]).toEqual(['10-11/*', 2]);
    expect(await rowsOf(await ask('rpc/all_logs?limit=4000'))).toBe(2);
    expect(await rowsOf(await ask('rpc/all_logs', { method: 'POST', headers: json, body: '{}' }))).toBe(2);
  });

  it('cut what is embedded, spread or computed', async () => {
    await server.project.database.query(`insert into films (title, director_id) values ('a', 1), ('b', 1)`);
    const director = async (select: string) =>
      (await jsonOf<{ films: unknown[] }[]>(await ask(`directors?id=eq.1&select=${select}`)))[0]!.films;
    expect(await director('films(id)&films.limit=100')).toHaveLength(2);
    expect(await director('...films(films:id)')).toHaveLength(2);
    expect(await director('films:films_by(id)')).toHaveLength(2);
  });

  it('refuse a change that would give back more, and undo it', async () => {
    const remove = { method: 'DELETE', headers: shown };
    const response = await ask('drafts?id=gt.0', remove);
    expect([response.status, await response.json()]).toEqual([
      400,
      {
        code: '54000',
        message: 'The change gives back 5 rows, and your role may be given 2',
        details: 'Rows that are changed are not cut like those that are read; this change was undone.',
        hint: 'Ask with Prefer: return=minimal, change fewer rows at once, or have galley.max_rows raised for the role.',
      },
    ]);
    const { rows } = await server.project.database.query('select count(*)::int as count from drafts');
    expect(rows).toEqual([{ count: 5 }]);
    const body = JSON.stringify([{ id: 11 }, { id: 12 }, { id: 13 }]);
    expect(await statusOf('drafts', { method: 'POST', headers: shown, body })).toBe(400);
    expect(await rowsOf(await ask('drafts?id=gt.3', remove))).toBe(2);
  });

  it('leave alone what a change does not give back', async () => {
    const body = JSON.stringify([{ id: 4 }, { id: 5 }, { id: 6 }]);
    expect(await statusOf('drafts', { method: 'POST', headers: json, body })).toBe(201);
    expect(await statusOf('drafts?id=eq.6', { method: 'DELETE' })).toBe(204);
  });
});

describe('requests of a batch', () => {
  const batch = async (path: string, headers: Record<string, string> = {}) => {
    const body = JSON.stringify({ requests: [{ path: '/drafts?limit=1' }, { path, headers }] });
    const response = await ask('batch', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    return (await jsonOf<{ code?: string; responses?: { body: unknown[] }[] }>(response)) ?? {};
  };

  it('are bounded like all others', async () => {
    expect((await batch('/logs?line=like.*9*')).responses).toHaveLength(2);
    await set('anon', {
      'galley.max_plan_cost': '50',
      'galley.max_rows': '2',
      'galley.max_embed_depth': '1',
    });
    await eventually(async () => (await rowsOf(await ask('drafts'))) === 2);
    expect((await batch('/drafts')).responses![1]!.body).toHaveLength(2);
    expect((await batch('/logs?line=like.*9*&order=line')).code).toBe('54001');
    expect((await batch('/films?select=directors(films(id))')).code).toBe('PGRST100');
    await set('anon', {
      'galley.max_plan_cost': undefined,
      'galley.max_rows': undefined,
      'galley.max_embed_depth': undefined,
    });
    await eventually(async () => (await rowsOf(await ask('drafts'))) > 2);
  });

  it('are not explained, and not done', async () => {
    expect((await batch('/drafts', { Prefer: 'explain=policies' })).code).toBe('PGRST127');
  });
});

describe('a request of a role without guards', () => {
  it('takes the one round trip that it always took', async () => {
    const transactions = jest.spyOn(server.project.database, 'asCaller');
    const statements = jest.spyOn(server.project.database, 'queryAsCaller');
    try {
      expect(await statusOf('films?select=title,directors(name)')).toBe(200);
      expect(await statusOf('drafts?id=eq.0', { method: 'DELETE' })).toBe(204);
      expect([statements.mock.calls.length, transactions.mock.calls.length]).toEqual([2, 0]);
    } finally {
      transactions.mockRestore();
      statements.mockRestore();
    }
  });
});

describe('guards of all roles', () => {
  it('stand where a role has none of its own', async () => {
    const asAnn = { headers: { authorization: `Bearer ${await tokenOf(server, ann)}` } };
    await set('authenticator', {
      'pgrst.galley_max_plan_cost': '50',
      'pgrst.galley_max_embed_depth': '0',
      'pgrst.db_max_rows': '2',
    });
    await set('authenticated', {
      'galley.max_plan_cost': '',
      'galley.max_embed_depth': '1',
      'galley.max_rows': '3',
    });
    await eventually(async () => (await rowsOf(await ask('films', asAnn))) === 3);
    expect(await rowsOf(await ask('films'))).toBe(2);
    expect(await statusOf('films?select=directors(name)')).toBe(400);
    expect(await statusOf('films?select=directors(name)', asAnn)).toBe(200);
    const all = 'logs?line=like.*9*&order=line';
    expect([await statusOf(all), await statusOf(all, asAnn)]).toEqual([400, 200]);
  });

  it('stand too where the role’s own cannot be read', async () => {
    await set('authenticated', { 'galley.max_rows': 'many' });
    const asAnn = { headers: { authorization: `Bearer ${await tokenOf(server, ann)}` } };
    await eventually(async () => (await rowsOf(await ask('films', asAnn))) === 2);
  });
});
