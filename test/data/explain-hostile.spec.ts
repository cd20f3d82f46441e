import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import type { TestServer } from '../support/server.js';
import { jsonOf, startCinema, tokenOf } from './cinema.js';

const ann = '00000000-0000-4000-8000-00000000000a';
const odd = `we"ird $1 ŧable'; --`;
const oddPath = encodeURIComponent(odd);
const oddSql = `"${odd.replaceAll('"', '""')}"`;

let server: TestServer;

beforeAll(async () => {
  server = await startCinema();
  await server.project.database.query(`
    create table calls (at int);
    grant all on calls to anon, authenticated;
    create sequence asked;
    grant usage on sequence asked to anon, authenticated;
    create function noted() returns boolean language plpgsql volatile as $$ begin
      perform nextval('asked');
      if current_setting('transaction_read_only') = 'off' then
        insert into calls values (1);
        perform set_config('role', 'service_role', true);
      end if;
      return true;
    end $$;
    create table noting (id int primary key);
    alter table noting enable row level security;
    create policy "calls home" on noting using (noted()) with check (noted());
    insert into noting values (1), (2);

    create function refused(id int) returns boolean language plpgsql as
      $$ begin if id = 2 then raise exception 'row % is secret', id; end if; return true; end $$;
    create table raising (id int primary key);
    alter table raising enable row level security;
    create policy loud on raising using (refused(id));
    create policy quiet on raising as restrictive using (id < 10);
    insert into raising values (1), (2);

    create table members_of (team int, member uuid);
    alter table members_of enable row level security;
    create policy mates on members_of using (team in (select team from members_of));
    insert into members_of values (1, '${ann}');

    create function slow(id int) returns boolean language plpgsql as
      $$ begin perform pg_sleep(60); return true; end $$;
    create function timeout_now() returns text language sql stable as $$ select current_setting('statement_timeout') $$;
    create table slowly (id int primary key);
    alter table slowly enable row level security;
    create policy sleeper on slowly using (slow(id));
    insert into slowly values (1);

    create table crowd (id int primary key, owner int, touched int default 0);
    alter table crowd enable row level security;
    create policy few on crowd using (id % 100 = 0) with check (touched = 0);
    insert into crowd select i, i from generate_series(1, 5000) as i;
    create table merging (id int primary key, owner int);
    alter table merging enable row level security;
    create policy all_see on merging for select using (true);
    create policy all_add on merging for insert with check (true);
    create policy few_change on merging for update using (owner = 1);
    insert into merging values (7, 2);
    create sequence touches;
    create function touch_one() returns trigger language plpgsql security definer as
      $$ begin perform nextval('touches'); return new; end $$;
    create trigger touch_one before update on crowd for each row execute function touch_one();

    create table ${oddSql} (id int primary key, "co""l, ü" text, ${oddSql} text);
    alter table ${oddSql} enable row level security;
    create policy ${oddSql} on ${oddSql} using (${oddSql}.${oddSql} = E'it''s "\\\\');
    insert into ${oddSql} values (1, '{"a,b"}', E'it''s "\\\\'), (2, null, 'no'), (3, E'x\\ny', null);

    create table owned (id int primary key, body text);
    alter table owned enable row level security;
    alter table owned owner to authenticated;
    create table forced (id int primary key, body text);
    alter table forced enable row level security;
    alter table forced force row level security;
    alter table forced owner to authenticated;
    insert into owned values (1, 'a');
    insert into forced values (1, 'a');
    create materialized view held as select * from crowd;
    grant select on held to authenticated;
    create view team_view with (security_invoker) as
      select * from crowd where owner in (select id from raising);
    create table parted (id int, part int) partition by list (part);
    create table parted_1 partition of parted for values in (1);
    create table parted_2 partition of parted for values in (2);
    alter table parted enable row level security;
    create policy even on parted using (id % 2 = 0);
    insert into parted select i, 1 + i % 2 from generate_series(1, 10) as i;
  `);
  await server.project.database.query(`notify pgrst, 'reload schema'`);
});
afterAll(() => server.close());

interface Report {
  outcome: { succeeds: boolean; rows?: number; status?: number; error?: { code: string; message: string } };
  findings: string[];
  accesses: (Record<string, unknown> & { policies: Record<string, unknown>[] })[];
}

async function explain(path: string, init: RequestInit = {}): Promise<Report> {
  const headers = {
    'content-type': 'application/json',
    prefer: 'explain=policies',
    apikey: server.keys.secretKey,
    'galley-explain-as': tokenOf(server, ann),
  };
  const response = await fetch(`${server.url}/rest/v1/${path}`, {
    ...init,
    headers: { ...headers, ...(init.headers as Record<string, string>) },
  });
  expect(response.status).toBe(200);
  return jsonOf<Report>(response);
}

const valueOf = async (sql: string) =>
  (await server.project.database.query<{ value: unknown }>(`select (${sql}) as value`)).rows[0]!.value;

describe('a policy', () => {
  it('with side effects leaves none, but for what sequences have given away', async () => {
    const body = '[{"id":3},{"id":4}]';
    const inserted = await explain('noting', {
      method: 'POST',
      body,
      headers: { prefer: 'explain=policies, return=representation' },
    });
    expect(inserted.accesses[0]).toMatchObject({ new_rows: { considered: 2, allowed: 2 } });
    await explain('noting?id=eq.1', { method: 'DELETE' });
    await explain('noting?id=eq.1', { method: 'PATCH', body: '{"id":9}' });
    expect(await valueOf('select array_agg(id order by id) from noting')).toEqual([1, 2]);
    expect(await valueOf('select count(*)::int from calls')).toBe(0);
    expect(await valueOf('select last_value > 1 from asked')).toBe(true);
  });

  it('that raises an error is told with it, beside those that do not', async () => {
    const { outcome, findings, accesses } = await explain('raising');
    expect(outcome).toMatchObject({ succeeds: false, error: { code: 'P0001', message: 'row 2 is secret' } });
    expect(findings).toContain('The policies of public.raising fail: row 2 is secret.');
    expect(accesses[0]!.policies).toMatchObject([
      { name: 'loud', rows_error: 'row 2 is secret' },
      { name: 'quiet', rows: 2 },
    ]);
    expect((await explain('raising?id=eq.1')).outcome).toEqual({ succeeds: true, rows: 1 });
  });

  it('that asks its own table is told so', async () => {
    const { outcome, findings, accesses } = await explain('members_of');
    expect(outcome).toMatchObject({ succeeds: false, status: 500, error: { code: '42P17' } });
    expect(findings[0]).toMatch(/^A policy asks the table that it protects, .* SECURITY DEFINER/);
    expect(accesses[0]!.policies[0]!['rows_error']).toBe(
      'infinite recursion detected in policy for relation "members_of"',
    );
  });

  it('that takes too long is given up', async () => {
    const { database } = server.project;
    const name = String(await valueOf('current_database()'));
    await database.query(`alter role authenticated in database "${name}" set statement_timeout = '300ms'`);
    await database.query(`notify pgrst, 'reload config'`);
    const headers = { apikey: server.keys.publishableKey, authorization: `Bearer ${tokenOf(server, ann)}` };
    await eventually(async () => {
      const response = await fetch(`${server.url}/rest/v1/rpc/timeout_now`, { headers });
      return (await response.json()) === '300ms';
    });
    const report = await explain('slowly?id=eq.1');
    await database.query(`alter role authenticated in database "${name}" reset statement_timeout`);
    await database.query(`notify pgrst, 'reload config'`);
    expect(report.outcome.error?.code).toBe('57014');
    expect(report.accesses[0]!.policies[0]!['rows_error']).toMatch(/statement timeout/);
  });
});

describe('many rows', () => {
  it('are looked at in part', async () => {
    const { outcome, findings, accesses } = await explain('crowd?select=id');
    expect(outcome).toEqual({ succeeds: true, rows: 50 });
    expect(accesses[0]!['rows']).toEqual({ considered: 1000, is_partial: true, allowed: 10 });
    expect(findings).toContain(
      'Of the first 1000 rows of public.crowd the policies for SELECT let 10 through; by themselves "few" 10.',
    );
  });

  it('are changed in part, and changed back', async () => {
    const change = { method: 'PATCH', body: '{"touched":1}' };
    const { outcome, accesses } = await explain('crowd?id=gt.0', change);
    expect(outcome).toMatchObject({ succeeds: false, error: { code: '42501' } });
    expect(accesses[0]).toMatchObject({
      command: 'UPDATE',
      rows: { considered: 1000, is_partial: true },
      new_rows: { considered: 1000, is_partial: true, allowed: 0 },
    });
    expect(await valueOf('select sum(touched)::int from crowd')).toBe(0);
    expect(await valueOf('select last_value < 2000 from touches')).toBe(true);
  });

  it('of partitions are told apart', async () => {
    const { accesses } = await explain('parted?part=eq.2', { method: 'PATCH', body: '{"id":3}' });
    expect(accesses[0]).toMatchObject({
      rows: { considered: 5, allowed: 0 },
      new_rows: { considered: 5, allowed: 0 },
    });
  });
});

describe('names and values', () => {
  it('of any characters are quoted', async () => {
    const { outcome, findings, accesses } = await explain(oddPath);
    expect(outcome).toEqual({ succeeds: true, rows: 1 });
    expect(accesses[0]).toMatchObject({
      table: odd,
      rows: { considered: 3, allowed: 1 },
      policies: [{ name: odd, rows: 1 }],
    });
    expect(findings[0]).toContain(`"${odd}"`);
    const row = { id: 9, [odd]: 'other' };
    const refused = await explain(oddPath, { method: 'POST', body: JSON.stringify(row) });
    expect(refused.outcome).toMatchObject({ succeeds: false, status: 403 });
    expect(refused.accesses[0]).toMatchObject({ new_rows: { considered: 1, allowed: 0 } });
  });

  it('of a credential that is none are refused', async () => {
    const headers = { apikey: server.keys.secretKey, prefer: 'explain=policies' };
    for (const named of [`' or true --`, server.keys.secretKey, '..']) {
      const response = await fetch(`${server.url}/rest/v1/crowd`, {
        headers: { ...headers, 'galley-explain-as': named },
      });
      expect(response.status).toBe(401);
    }
  });
});

describe('what is no table with policies for the role', () => {
  it('is told of owners, also where row-level security is forced', async () => {
    const owned = await explain('owned');
    expect(owned.accesses[0]).toMatchObject({ row_level_security: 'enabled', exempt: 'owner' });
    expect(owned.findings).toEqual([
      'The role authenticated owns public.owned, where row-level security is not forced: only grants count.',
    ]);
    const forced = await explain('forced');
    expect(forced.accesses[0]).toMatchObject({
      row_level_security: 'forced',
      exempt: null,
      rows: { considered: 1, allowed: 0 },
    });
  });

  it('is told of materialized views', async () => {
    const { findings, accesses } = await explain('held?limit=1');
    expect(accesses).toHaveLength(1);
    expect(findings).toEqual([
      'public.held is a materialized view: it has rows of its own, for which only grants count.',
    ]);
  });

  it('tells of a change through a view which of its tables is changed', async () => {
    const { accesses } = await explain('team_view?id=eq.1', { method: 'DELETE' });
    const beneath = accesses.filter((access) => access['through_view'] === 'public.team_view');
    expect(beneath.map(({ table, command }) => [command, table])).toEqual(
      expect.arrayContaining([
        ['DELETE', 'crowd'],
        ['SELECT', 'raising'],
      ]),
    );
    expect(beneath).not.toContainEqual(expect.objectContaining({ table: 'raising', command: 'DELETE' }));
  });
});

describe('an upsert', () => {
  it('is explained by what it inserts and what it merges', async () => {
    const put = await explain('crowd?id=eq.100', {
      method: 'PUT',
      body: '{"id":100,"owner":1,"touched":1}',
    });
    expect(put.outcome).toMatchObject({ succeeds: false, error: { code: '42501' } });
    expect(put.accesses.map((access) => access['command'])).toEqual(['INSERT', 'UPDATE', 'SELECT']);
    const merge = await explain('crowd', {
      method: 'POST',
      body: '[{"id":100,"owner":7},{"id":200,"owner":7}]',
      headers: { prefer: 'explain=policies, resolution=merge-duplicates' },
    });
    expect(merge.outcome).toEqual({ succeeds: true, rows: 2 });
    expect(await valueOf('select owner from crowd where id = 100')).toBe(100);
    const foreign = await explain('merging', {
      method: 'POST',
      body: '[{"id":7,"owner":7}]',
      headers: { prefer: 'explain=policies, resolution=merge-duplicates' },
    });
    expect(foreign.findings[0]).toBe(
      'A row of merging that was there already was refused because no permissive policy allows it.',
    );
  });
});
