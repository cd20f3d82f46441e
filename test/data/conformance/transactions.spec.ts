import { beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { ask, withLibrary } from './library.js';

const { shows, server } = withLibrary({
  PGRST_DB_TX_END: 'commit',
  PGRST_DB_ANON_ROLE: 'anon',
  PGRST_DB_PRE_REQUEST: 'hooks.before_all',
});

beforeAll(async () => {
  await server().project.database.query(`
    create schema hooks;
    grant usage on schema hooks to anon, authenticated;
    create function hooks.before_all() returns void language plpgsql security definer as $$
      begin
        if current_setting('request.headers')::json->>'x-mood' = 'bad' then
          raise exception 'Not today' using hint = 'Be nice';
        end if;
        if current_setting('request.headers')::json->>'user-agent' = 'Old/1' then
          perform set_config('response.headers', '[{"Cache-Control": "no-store"}]', true);
        end if;
        perform set_config('app.before', current_setting('request.path'), true);
      end $$;
    create sequence ticks;
    grant usage on sequence ticks to anon;
    create function tick_immutable() returns bigint language sql immutable as $$ select nextval('ticks') $$;
    create function tick_stable() returns bigint language sql stable as $$ select nextval('ticks') $$;
    create function tick_volatile() returns bigint language sql volatile as $$ select nextval('ticks') $$;
    create view ticking as select nextval('ticks');
    create function told(name text) returns text language sql stable as
      $$ select current_setting(name, true) $$;
    create function told_json(name text, key text) returns text language sql stable as
      $$ select current_setting(name, true)::json->>key $$;
    create function roles() returns text[] language sql stable as
      $$ select array[current_user::text, current_role::text, current_setting('role')] $$;
    create function strict_isolation() returns text language sql stable
      set default_transaction_isolation = 'serializable' as $$ select current_setting('transaction_isolation') $$;
    create function cached() returns text language sql volatile as $$
      select set_config('response.headers', '[{"Set-Cookie": "a=1"}, {"Set-Cookie": "b=2"}]', true);
      select 'x' $$;
    create function other_type() returns text language sql volatile as $$
      select set_config('response.headers', '[{"Content-Type": "application/problem+json"}]', true);
      select 'x' $$;
    create function accepted() returns json language sql volatile as $$
      select set_config('response.status', '202', true);
      select '{"later": true}'::json $$;
    create function add_and_fail() returns void language plpgsql as $$
      begin
        insert into authors values (70, 'Half');
        raise exception 'no';
      end $$;
  `);
});

describe('a transaction', () => {
  const readOnly = { status: 405, answer: { code: '25006' } };
  shows([
    ['of GET cannot write', { request: 'ticking', ...readOnly }],
    ['of HEAD cannot write', { request: 'HEAD ticking', status: 405 }],
    ['of GET cannot write in a function', { request: 'rpc/tick_volatile', ...readOnly }],
    ['of POST writes in a volatile function', { request: 'POST rpc/tick_volatile', body: {}, answer: 1 }],
    ['of POST cannot write in a stable function', { request: 'POST rpc/tick_stable', body: {}, ...readOnly }],
    [
      'of POST cannot write in an immutable function',
      { request: 'POST rpc/tick_immutable', body: {}, ...readOnly },
    ],
    [
      'reads what is committed, by default',
      { request: 'rpc/told?name=transaction_isolation', answer: 'read committed' },
    ],
    ['isolates as a function says', { request: 'rpc/strict_isolation', answer: 'serializable' }],
  ]);

  it('is rolled back whole by an error that a function raises', async () => {
    expect((await ask(server(), 'POST rpc/add_and_fail', { body: {} })).status).toBe(400);
    expect((await ask(server(), 'authors?id=eq.70')).body).toEqual([]);
  });

  it('is rolled back whole by a constraint', async () => {
    const rows = [
      { id: 71, name: 'Good' },
      { id: 72, name: null },
    ];
    expect((await ask(server(), 'POST authors', { body: rows })).status).toBe(400);
    expect((await ask(server(), 'authors?id=eq.71')).body).toEqual([]);
  });

  it('is committed when nothing fails', async () => {
    expect((await ask(server(), 'POST authors', { body: { id: 73, name: 'Kept' } })).status).toBe(201);
    expect((await ask(server(), 'authors?select=name&id=eq.73')).body).toEqual([{ name: 'Kept' }]);
  });
});

describe('a setting of the role', () => {
  const query = (text: string) => server().project.database.query<{ name: string }>(text);
  const isTold = async (name: string, value: string) =>
    (await ask(server(), `rpc/told?name=${name}`)).body === value;

  it('holds for its transactions, unless only a superuser may set it', async () => {
    const { name } = (await query('select current_database() as name')).rows[0]!;
    await query(`alter role anon in database "${name}" set work_mem = '5MB'`);
    await query(`alter role anon in database "${name}" set log_statement = 'mod'`);
    await query(`notify pgrst, 'reload config'`);
    await eventually(() => isTold('work_mem', '5MB'));
    expect(await isTold('log_statement', 'none')).toBe(true);
  });

  it('that only a superuser may set holds when that right was granted', async () => {
    await query('grant set on parameter log_statement to authenticator');
    await query(`notify pgrst, 'reload config'`);
    await eventually(() => isTold('log_statement', 'mod'));
  });
});

describe('SQL is told', () => {
  shows([
    ['the method', { request: 'rpc/told?name=request.method', answer: 'GET' }],
    ['the path', { request: 'rpc/told?name=request.path', answer: '/rpc/told' }],
    [
      'the headers, their names in small letters',
      {
        request: 'rpc/told_json?name=request.headers&key=user-agent',
        headers: { 'User-Agent': 'Mine/2' },
        answer: 'Mine/2',
      },
    ],
    [
      'the cookies',
      {
        request: 'rpc/told_json?name=request.cookies&key=session',
        headers: { cookie: 'session=abc; b=c' },
        answer: 'abc',
      },
    ],
    [
      'the claims, of which the role is that of everybody by default',
      { request: 'rpc/told_json?name=request.jwt.claims&key=role', answer: 'anon' },
    ],
    ['the role', { request: 'rpc/roles', answer: ['anon', 'anon', 'anon'] }],
  ]);
});

describe('SQL sets', () => {
  shows([
    [
      'headers, each as often as it likes',
      { request: 'POST rpc/cached', body: {}, answer: 'x', answerHeaders: { 'set-cookie': 'a=1, b=2' } },
    ],
    [
      'headers that stand instead of those that would be there, and change no body',
      {
        request: 'POST rpc/other_type',
        body: {},
        answer: 'x',
        answerHeaders: { 'content-type': 'application/problem+json' },
      },
    ],
    ['the status', { request: 'POST rpc/accepted', body: {}, status: 202, answer: { later: true } }],
  ]);
});

describe('the function before each request', () => {
  shows([
    [
      'runs with the settings of the request, before its statement',
      { request: 'rpc/told?name=app.before', answer: '/rpc/told' },
    ],
    [
      'may refuse it',
      {
        request: 'authors',
        headers: { 'x-mood': 'bad' },
        status: 400,
        answer: { code: 'P0001', message: 'Not today', hint: 'Be nice', details: null },
      },
    ],
    [
      'may add headers to a table',
      {
        request: 'authors',
        headers: { 'user-agent': 'Old/1' },
        answerHeaders: { 'cache-control': 'no-store' },
      },
    ],
  ]);
});
