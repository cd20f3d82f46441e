import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import type { TestServer } from '../support/server.js';
import { jsonOf, startCinema, tokenOf } from './cinema.js';

let server: TestServer;

beforeAll(async () => {
  server = await startCinema({
    PGRST_DB_EXTRA_SEARCH_PATH: 'public, extensions, tools',
    PGRST_APP_SETTINGS_GREETING: 'hello',
    PGRST_SERVER_TRACE_HEADER: 'X-Trace',
  });
  await server.project.database.query(`
    create schema tools;
    grant usage on schema tools to anon, authenticated;
    create function tools.twice(n int) returns int language sql immutable as 'select n * 2';
    create function in_tools() returns int language plpgsql stable as 'begin return twice(21); end';
    create function told(name text) returns text language sql stable as 'select current_setting(name, true)';
    create function hoisted() returns text language sql stable set statement_timeout = '7s' as
      $$ select current_setting('statement_timeout') $$;
    create function long_sleep() returns text language sql stable set statement_timeout = '50ms' as
      'select pg_sleep(30)::text';
    create function isolated() returns text language sql stable
      set default_transaction_isolation = 'repeatable read' as $$ select current_setting('transaction_isolation') $$;
    create sequence calls;
    grant usage on sequence calls to anon;
    create view counter as select nextval('calls');
    create function count_volatile() returns bigint language sql volatile as $$ select nextval('calls') $$;
    create function count_stable() returns bigint language sql stable as $$ select nextval('calls') $$;
    create function answer(headers text, status text) returns text language sql volatile as $$
      select set_config('response.headers', headers, true), set_config('response.status', status, true);
      select 'body'
    $$;
    create table kept (n int);
    create function keep() returns void language sql volatile as $$
      insert into kept values (1); select set_config('response.status', 'none', true) $$;
    create table marked (id int primary key);
    create function mark() returns trigger language plpgsql as $$
      begin
        perform set_config('response.headers', '[{"X-Marked": "yes"}, {"Location": "/elsewhere"}]', true);
        return new;
      end
    $$;
    create trigger mark before insert on marked for each row execute function mark();
  `);
});
afterAll(() => server.close());

function request(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`${server.url}/rest/v1/${path}`, {
    ...init,
    headers: { apikey: server.keys.publishableKey, ...(init.headers as Record<string, string>) },
  });
}
const value = async (path: string, init?: RequestInit) => jsonOf<unknown>(await request(path, init));
const post = (body: object): RequestInit => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json' },
});

describe('a token that names no role', () => {
  it('is taken for an anonymous one, with its claims', async () => {
    const own = await startCinema({ PGRST_DB_ANON_ROLE: 'authenticated' });
    try {
      const token = own.project.tokens.sign({ sub: 'x' }, 60);
      await own.project.database.query(
        `create function me() returns text language sql stable as
           $$ select current_role || ' ' || (current_setting('request.jwt.claims')::json->>'sub') $$`,
      );
      const me = await fetch(`${own.url}/rest/v1/rpc/me`, { headers: { authorization: `Bearer ${token}` } });
      expect(await me.json()).toBe('authenticated x');
    } finally {
      await own.close();
    }
  });
});

describe('what a transaction knows', () => {
  it('is where names are looked for: the schema of the request, then the extra ones', async () => {
    expect(await value('rpc/told?name=search_path')).toBe('"public", "public", "extensions", "tools"');
    expect(await value('rpc/in_tools')).toBe(42);
    // Nothing of those is shown.
    expect((await request('rpc/twice?n=1')).status).toBe(404);
  });

  it('is the request: its method, path, headers and cookies', async () => {
    const headers = { cookie: 'session=abc; theme=dark; session=later', 'x-own': 'mine' };
    expect(await value('rpc/told?name=request.method', { headers })).toBe('GET');
    expect(await value('rpc/told?name=request.path', { headers })).toBe('/rpc/told');
    const told = JSON.parse((await value('rpc/told?name=request.headers', { headers })) as string);
    expect(told).toMatchObject({ 'x-own': 'mine' });
    expect(told).not.toHaveProperty('cookie');
    const cookies = JSON.parse((await value('rpc/told?name=request.cookies', { headers })) as string);
    expect(cookies).toEqual({ session: 'abc', theme: 'dark' });
  });

  it('is who asks', async () => {
    const authorization = `Bearer ${tokenOf(server, '00000000-0000-4000-8000-00000000000a')}`;
    const claims = (await value('rpc/told?name=request.jwt.claims', {
      headers: { authorization },
    })) as string;
    expect(JSON.parse(claims)).toMatchObject({ role: 'authenticated', sub: expect.any(String) });
    expect(await value('rpc/told?name=role', { headers: { authorization } })).toBe('authenticated');
  });

  it('is what the operator has for functions', async () => {
    expect(await value('rpc/told?name=app.settings.greeting')).toBe('hello');
  });
});

describe('settings of roles and functions', () => {
  async function setOfAnon(change: string): Promise<void> {
    const { database } = server.project;
    const { rows } = await database.query<{ name: string }>('select current_database() as name');
    await database.query(`alter role anon in database "${rows[0]!.name}" ${change}`);
    await database.query(`notify pgrst, 'reload config'`);
  }

  it('of the role hold although it never logs in', async () => {
    expect(await value('rpc/told?name=statement_timeout')).toBe('8s');
    await setOfAnon(`set statement_timeout = '3s'`);
    await eventually(async () => (await value('rpc/told?name=statement_timeout')) === '3s');
    await setOfAnon(`set default_transaction_isolation = 'serializable'`);
    await eventually(async () => (await value('rpc/told?name=transaction_isolation')) === 'serializable');
    // The function's own is stronger.
    expect(await value('rpc/isolated')).toBe('repeatable read');
    expect(await value('rpc/hoisted')).toBe('7s');
    await setOfAnon('reset all');
    await eventually(async () => (await value('rpc/told?name=statement_timeout')) === '8s');
    expect(await value('rpc/told?name=transaction_isolation')).toBe('read committed');
  });

  it('of a function end it in time', async () => {
    const late = await request('rpc/long_sleep');
    expect([late.status, await jsonOf(late)]).toEqual([
      500,
      {
        code: '57014',
        details: null,
        hint: null,
        message: 'canceling statement due to statement timeout',
      },
    ]);
  });
});

describe('a transaction that reads', () => {
  const refused = {
    code: '25006',
    details: null,
    hint: null,
    message: 'cannot execute nextval() in a read-only transaction',
  };

  it('cannot write', async () => {
    const view = await request('counter');
    expect([view.status, await jsonOf(view)]).toEqual([405, refused]);
    expect((await request('counter', { method: 'HEAD' })).status).toBe(405);
    const stable = await request('rpc/count_stable', post({}));
    expect([stable.status, await jsonOf(stable)]).toEqual([405, refused]);
    expect((await request('rpc/count_volatile')).status).toBe(405);
  });

  it('is not one that calls a volatile function by POST', async () => {
    expect((await request('rpc/count_volatile', post({}))).status).toBe(200);
  });
});

describe('the response', () => {
  const answer = (headers: string, status: string) => request('rpc/answer', post({ headers, status }));

  it('has the headers and the status that a function sets, a header as often as it is set', async () => {
    const response = await answer(
      '[{"Cache-Control": "public"}, {"Cache-Control": "max-age=9"}, {"X-A": "b"}]',
      '418',
    );
    expect([response.status, await response.json()]).toEqual([418, 'body']);
    expect(response.headers.get('cache-control')).toBe('public, max-age=9');
    expect(response.headers.get('x-a')).toBe('b');
  });

  it('has those that a trigger sets, instead of its own', async () => {
    const response = await request('marked', post({ id: 1 }));
    expect(response.status).toBe(201);
    expect(response.headers.get('x-marked')).toBe('yes');
    expect(response.headers.get('location')).toBe('/elsewhere');
  });

  it.each([
    '{"X-A": "b"}',
    '[{"X-A": "b", "X-C": "d"}]',
    '[{"X-A": 1}]',
    '["X-A"]',
    '[{}]',
    '[null]',
    'no json',
    '[{"X A": "b"}]',
    '[{"X-A": "b\\nc"}]',
  ])('is PGRST111 when the headers are %s', async (headers) => {
    const response = await answer(headers, '');
    expect([response.status, await jsonOf(response)]).toEqual([
      500,
      {
        code: 'PGRST111',
        details: null,
        hint: null,
        message:
          'response.headers guc must be a JSON array composed of objects with a single key and a string value',
      },
    ]);
  });

  it.each(['teapot', '99', '1000'])('is PGRST112 when the status is %s', async (status) => {
    const response = await answer('', status);
    expect([response.status, await jsonOf(response)]).toEqual([
      500,
      {
        code: 'PGRST112',
        details: null,
        hint: null,
        message: 'response.status guc must be a valid status code',
      },
    ]);
  });

  it('is told to be wrong when what was done has been committed', async () => {
    expect((await request('rpc/keep', post({}))).status).toBe(500);
    expect(await value('kept')).toEqual([{ n: 1 }]);
  });

  it('repeats the header that requests are traced by, also of an error', async () => {
    const headers = { 'x-trace': 'abc' };
    expect((await request('films', { headers })).headers.get('x-trace')).toBe('abc');
    expect((await request('nothing', { headers })).headers.get('x-trace')).toBe('abc');
    expect((await request('films')).headers.get('x-trace')).toBe('');
  });
});
