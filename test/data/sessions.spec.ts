import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { limits } from '../../libs/data/src/limits.js';
import type { TestServer } from '../support/server.js';
import { startCinema } from './cinema.js';

let server: TestServer;

beforeAll(async () => {
  // One connection, so that whoever comes next has it.
  server = await startCinema({ DB_POOL_SIZE: '1' });
  await server.project.database.query(`
    create function leave(name text, value text) returns text language sql volatile as
      $$ select set_config(name, value, false) $$;
    create function found(name text) returns text language sql stable as
      $$ select current_setting(name, true) $$;
    create function who() returns uuid language sql stable as $$ select auth.uid() $$;
    create function count_visits() returns int language plpgsql volatile as $$
      begin
        create temp table if not exists visits (at timestamptz);
        insert into visits values (now());
        return (select count(*) from visits);
      end $$;
    create sequence tickets;
    grant all on sequence tickets to anon;
    create function draw() returns bigint language sql volatile as $$ select nextval('tickets') $$;
    create function drawn() returns bigint language plpgsql volatile as
      $$ begin return lastval(); exception when object_not_in_prerequisite_state then return null; end $$;
    create function lock_out() returns bool language sql volatile as $$ select pg_try_advisory_lock(42) $$;
    create function deallocate() returns void language plpgsql volatile as $$ begin execute 'deallocate all'; end $$;
    create function fail_as_forgotten() returns void language plpgsql volatile as $$
      begin perform nextval('failures'); raise exception 'no' using errcode = '26000'; end $$;
    create sequence failures;
    grant all on sequence failures to anon;
    create table parts (id int primary key, name text);
    insert into parts values (1, 'wheel');
    grant all on parts to anon;
    notify pgrst, 'reload schema';`);
});
afterAll(() => server.close());

function ask(path: string, body?: object, own: RequestInit = {}): Promise<Response> {
  return fetch(`${server.url}/rest/v1/${path}`, {
    method: body ? 'POST' : 'GET',
    ...own,
    headers: {
      apikey: server.keys.publishableKey,
      'content-type': 'application/json',
      ...(own.headers as Record<string, string>),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
}
const json = async (path: string, body?: object) => (await ask(path, body)).json() as Promise<unknown>;
const leave = (name: string, value: string) => json('rpc/leave', { name, value });

describe('what a function leaves in its session does not meet the next caller', () => {
  it('headers and status of a response', async () => {
    await leave('response.headers', '[{"Set-Cookie":"sid=1"}]');
    await leave('response.status', '418');
    const response = await ask('films?id=eq.1');
    expect([response.status, response.headers.get('set-cookie')]).toEqual([200, null]);
  });

  it('who asked, a setting of its own, and bounds', async () => {
    await leave('request.jwt.claim.sub', '00000000-0000-4000-8000-00000000000a');
    expect(await json('rpc/who', {})).toBeNull();
    await leave('shop.tenant', 'one');
    expect(await json('rpc/found', { name: 'shop.tenant' })).not.toBe('one');
    await leave('statement_timeout', '1');
    expect((await ask('rpc/counted?n=100000&limit=1')).status).toBe(200);
    await leave('row_security', 'off');
    expect((await ask('notes')).status).toBe(200);
  });

  it('temporary tables and locks', async () => {
    expect(await json('rpc/count_visits', {})).toBe(1);
    expect(await json('rpc/count_visits', {})).toBe(1);
    expect(await json('rpc/lock_out', {})).toBe(true);
    const { rows } = await server.project.database.query<{ n: number }>(
      `select count(*)::int as n from pg_locks where locktype = 'advisory' and objid = 42
       and database = (select oid from pg_database where datname = current_database())`,
    );
    expect(rows[0]!.n).toBe(0);
  });

  it('numbers drawn from sequences', async () => {
    expect(await json('rpc/draw', {})).toBe(1);
    expect(await json('rpc/drawn', {})).toBeNull();
  });

  it('the loss of statements that were prepared', async () => {
    expect((await ask('rpc/deallocate', {})).status).toBe(204);
    for (let i = 0; i < limits.usesBeforePreparing + 1; i++) {
      expect((await ask('films?id=eq.1')).status).toBe(200);
    }
    await ask('rpc/deallocate', {});
    expect((await ask('films?id=eq.1')).status).toBe(200);
  });

  it('their loss, to a change that is bounded or to a batch', async () => {
    const bounded = { method: 'PATCH', headers: { prefer: 'handling=strict, max-affected=1' } };
    const rename = () => ask('parts?id=eq.1', { name: 'wheel' }, bounded);
    const batch = { requests: [{ path: '/films?id=eq.1' }] };
    expect([(await rename()).status, (await ask('batch', batch)).status]).toEqual([204, 200]);
    await ask('rpc/deallocate', {});
    expect((await rename()).status).toBe(204);
    expect((await ask('batch', batch)).status).toBe(200);
    await ask('rpc/deallocate', {});
    expect((await ask('batch', batch)).status).toBe(200);
  });

  it('their loss, within one batch', async () => {
    const requests = [{ method: 'POST', path: '/rpc/deallocate', body: {} }, { path: '/parts?id=eq.1' }];
    expect((await ask('batch', { requests })).status).toBe(200);
  });

  it('an error of a function that only looks like it: that runs once', async () => {
    expect((await ask('rpc/fail_as_forgotten', {})).status).toBe(400);
    const { rows } = await server.project.database.query<{ last: number }>(
      'select last_value::int as last from failures',
    );
    expect(rows[0]!.last).toBe(1);
  });
});

describe('a statement that is asked often', () => {
  const often = async (path: string) => {
    for (let i = 0; i <= limits.usesBeforePreparing; i++) expect((await ask(path)).status).toBe(200);
  };

  it('finds its rows also after a column has got another type', async () => {
    await often('parts?id=eq.1&select=name');
    await server.project.database.query('alter table parts alter id type text using id::text');
    expect(await json('parts?id=eq.1&select=name')).toEqual([{ name: 'wheel' }]);
    await server.project.database.query('alter table parts alter id type bigint using id::bigint');
    await often('parts?id=eq.1&select=name');
    expect(await json('parts?id=eq.5000000000&select=name')).toEqual([]);
  });
});
