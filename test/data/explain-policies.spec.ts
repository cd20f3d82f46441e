import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import type { TestServer } from '../support/server.js';
import { jsonOf, startCinema, tokenOf } from './cinema.js';

const ann = '00000000-0000-4000-8000-00000000000a';
const bob = '00000000-0000-4000-8000-00000000000b';

let server: TestServer;

beforeAll(async () => {
  server = await startCinema();
  await server.project.database.query(`
    create table members (team int, user_id uuid);
    alter table members enable row level security;
    create policy own on members to authenticated using (user_id = (current_setting('request.jwt.claims')::json->>'sub')::uuid);
    create table posts (
      id int primary key, team int, author uuid, status text default 'draft', posts text
    );
    alter table posts enable row level security;
    create policy "my team" on posts to authenticated
      using (exists (select from members where members.team = posts.team)) with check (true);
    create policy published on posts for select using (status = 'published');
    create policy "not banned" on posts as restrictive to authenticated using (team <> 9) with check (team <> 9);
    create policy editors on posts for update to service_role using (true);
    create table comments (id int primary key, post int references posts (id) on delete cascade, body text);
    alter table comments enable row level security;
    insert into members values (1, '${ann}'), (9, '${ann}'), (2, '${bob}');
    insert into posts values (1, 1, '${ann}', 'draft'), (2, 2, '${bob}', 'published'), (3, 2, '${bob}', 'draft'),
      (4, 9, '${bob}', 'published');
    insert into comments values (1, 1, 'first');
    create table drops (id int primary key, body text);
    alter table drops enable row level security;
    create policy drop_in on drops for insert with check (id > 0);
    grant select (id), insert on vault to authenticated;
    create function post_of(comments) returns setof posts rows 1 language sql stable as
      'select * from posts where id = $1.post';
    create function posts_of(members) returns setof posts language sql stable as
      'select * from posts where team = $1.team';
    create view headlines as select id, status from posts;
    create view own_headlines with (security_invoker) as select id, status from posts;
  `);
});
afterAll(() => server.close());

interface Report {
  role: string;
  user_id: string | null;
  outcome: { succeeds: boolean; rows?: number; status?: number; error?: { code: string; message: string } };
  findings: string[];
  accesses: (Record<string, unknown> & { policies: Record<string, unknown>[] })[];
}

/** Asks with the headers of `who`. */
async function ask(who: Record<string, string>, path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { 'content-type': 'application/json', prefer: 'explain=policies', ...who };
  return fetch(`${server.url}/rest/v1/${path}`, {
    ...init,
    headers: { ...headers, ...(init.headers as Record<string, string>) },
  });
}

/** What the holder of the secret key is told about requests of `userId`. */
async function explain(userId: string, path: string, init: RequestInit = {}): Promise<Report> {
  const token = await tokenOf(server, userId);
  const response = await ask({ apikey: server.keys.secretKey, 'galley-explain-as': token }, path, init);
  expect([response.status, response.headers.get('preference-applied')]).toEqual([200, 'explain=policies']);
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
  return jsonOf<Report>(response);
}

describe('a read', () => {
  it('is explained by the policies for it and the rows that each lets through', async () => {
    const report = await explain(ann, 'posts?select=id&id=gt.0&order=id');
    expect(report).toMatchObject({
      role: 'authenticated',
      user_id: ann,
      outcome: { succeeds: true, rows: 2 },
    });
    expect(report.accesses).toEqual([
      {
        schema: 'public',
        table: 'posts',
        kind: 'table',
        command: 'SELECT',
        role: 'authenticated',
        row_level_security: 'enabled',
        exempt: null,
        missing_grants: [],
        rows: { considered: 4, is_partial: false, allowed: 2 },
        policies: [
          {
            name: 'my team',
            command: 'ALL',
            permissive: true,
            roles: ['authenticated'],
            using: expect.stringContaining('FROM public.members'),
            check: 'true',
            rows: 2,
          },
          {
            name: 'not banned',
            command: 'ALL',
            permissive: false,
            roles: ['authenticated'],
            using: '(team <> 9)',
            check: '(team <> 9)',
            rows: 3,
          },
          {
            name: 'published',
            command: 'SELECT',
            permissive: true,
            roles: ['public'],
            using: "(status = 'published'::text)",
            check: null,
            rows: 2,
          },
        ],
        other_policies: [{ name: 'editors', command: 'UPDATE', roles: ['service_role'] }],
      },
    ]);
    expect(report.findings).toEqual([
      'For SELECT on public.posts by authenticated a row has to pass one of: "my team", "published".',
      'Of 4 rows of public.posts the policies for SELECT let 2 through; ' +
        'by themselves "my team" 2, restrictive "not banned" 3, "published" 2.',
    ]);
  });

  it('counts only the rows that its filters let match', async () => {
    const { accesses } = await explain(ann, 'posts?id=in.(2,3)');
    expect(accesses[0]!['rows']).toEqual({ considered: 2, is_partial: false, allowed: 1 });
    const none = await explain(ann, 'posts?id=eq.77');
    expect(none.findings).toContain('No row of public.posts matches, whatever the policies say.');
  });

  it('tells of embedded tables, and of those without any policy', async () => {
    const { outcome, findings, accesses } = await explain(ann, 'posts?select=id,comments(body)&id=eq.1');
    expect(outcome).toEqual({ succeeds: true, rows: 1 });
    expect(accesses.map((access) => [access['table'], access['rows']])).toEqual([
      ['posts', { considered: 1, is_partial: false, allowed: 1 }],
      ['comments', { considered: 1, is_partial: false, allowed: 0 }],
    ]);
    expect(findings).toContain(
      'No permissive policy of public.comments is for SELECT by authenticated: no row passes.',
    );
  });

  it('leaves out what functions ask, but not what is embedded in their rows', async () => {
    const { outcome, accesses } = await explain(ann, 'comments?select=id,post_of(id,comments(id))');
    expect(outcome.succeeds).toBe(true);
    expect(accesses.map((access) => access['table'])).toEqual(['comments']);
    const { accesses: beneath } = await explain(ann, 'members?select=posts_of(id,comments(id))');
    expect(beneath.map((access) => access['table'])).toEqual(['members', 'comments']);
  });

  it('by HEAD has no body', async () => {
    const response = await ask({ apikey: server.keys.secretKey }, 'posts', { method: 'HEAD' });
    expect([response.status, response.headers.get('preference-applied'), await response.text()]).toEqual([
      200,
      'explain=policies',
      '',
    ]);
  });

  it('tells the answer that the caller has', async () => {
    const single = { headers: { accept: 'application/vnd.pgrst.object+json' } };
    const { outcome } = await explain(bob, 'posts?id=eq.1', single);
    expect(outcome).toMatchObject({ succeeds: false, status: 406, error: { code: 'PGRST116' } });
  });

  it('tells the grants that are missing, of columns too', async () => {
    const { outcome, findings } = await explain(ann, 'vault?select=id,secret');
    expect(outcome).toMatchObject({ succeeds: false, status: 403, error: { code: '42501' } });
    expect(findings[0]).toBe('The role authenticated lacks SELECT (secret) on public.vault.');
    expect(findings).toContain('Row-level security is off on public.vault: only grants count.');
    expect((await explain(ann, 'vault?select=id')).accesses[0]!['missing_grants']).toEqual([]);
  });

  it('follows views to their tables, with the rights that these are read with', async () => {
    const byOwner = await explain(ann, 'headlines');
    expect(byOwner.accesses[1]).toMatchObject({
      table: 'posts',
      role: 'postgres',
      through_view: 'public.headlines',
      exempt: 'bypassrls',
    });
    const byInvoker = await explain(ann, 'own_headlines');
    expect(byInvoker.outcome).toEqual({ succeeds: true, rows: 2 });
    expect(byInvoker.accesses[1]).toMatchObject({
      table: 'posts',
      role: 'authenticated',
      exempt: null,
      rows: { considered: 4, allowed: 2 },
    });
  });

  it('explains a publishable key, and the secret key itself', async () => {
    const { secretKey, publishableKey } = server.keys;
    const anon = await ask({ apikey: secretKey, 'galley-explain-as': publishableKey }, 'notes');
    expect(await jsonOf(anon)).toMatchObject({ role: 'anon', accesses: [{ policies: [{ name: 'own' }] }] });
    const service = await jsonOf<Report>(await ask({ apikey: secretKey }, 'posts'));
    expect(service.outcome).toEqual({ succeeds: true, rows: 4 });
    expect(service.findings).toEqual(['The role service_role bypasses row-level security on public.posts.']);
  });

  it('tells a policy that fails', async () => {
    const token = server.project.tokens.sign({ role: 'authenticated', sub: 'no-uuid' }, 60);
    await server.project.database.query(`insert into notes (owner, body) values ('${ann}', 'mine')`);
    const asked = await ask({ apikey: server.keys.secretKey, 'galley-explain-as': token }, 'notes');
    const { outcome, accesses } = await jsonOf<Report>(asked);
    expect(outcome).toMatchObject({ succeeds: false, error: { code: '22P02' } });
    expect(accesses[0]!.policies[0]!['rows_error']).toContain('no-uuid');
  });
});

describe('a write', () => {
  const insert = (row: object, prefer = ''): RequestInit => ({
    method: 'POST',
    body: JSON.stringify(row),
    headers: { prefer: `explain=policies${prefer}` },
  });

  it('is taken back', async () => {
    const { outcome } = await explain(ann, 'posts', insert({ id: 10, team: 1 }));
    expect(outcome).toEqual({ succeeds: true, rows: 1 });
    const gone = await explain(ann, 'posts?id=eq.1', { method: 'DELETE' });
    expect(gone.outcome).toEqual({ succeeds: true, rows: 1 });
    const { rows } = await server.project.database.query(
      'select array_agg(id order by id) as ids from posts',
    );
    expect(rows).toEqual([{ ids: [1, 2, 3, 4] }]);
  });

  it('that a restrictive policy refuses is told so by its name', async () => {
    const { outcome, findings, accesses } = await explain(ann, 'posts', insert({ id: 10, team: 9 }));
    expect(outcome).toMatchObject({ succeeds: false, status: 403, error: { code: '42501' } });
    expect(findings[0]).toBe('A new row of posts was refused by the restrictive policy "not banned".');
    expect(accesses[0]).toMatchObject({ new_rows: { considered: 1, allowed: 0 } });
    expect(accesses[0]!.policies.map((policy) => [policy['name'], policy['new_rows']])).toEqual([
      ['my team', 1],
      ['not banned', 0],
    ]);
  });

  it('that no policy allows is told so', async () => {
    const { findings } = await explain(ann, 'comments', insert({ id: 9 }));
    expect(findings).toEqual([
      'A new row of comments was refused because no permissive policy allows it.',
      'No permissive policy of public.comments is for INSERT by authenticated: no row passes.',
      'Of 1 new rows of public.comments the policies for INSERT let 0 through.',
    ]);
  });

  it('that is refused because the new row is not visible is told how to pass', async () => {
    const shown = await explain(ann, 'drops', insert({ id: 1 }, ', return=representation'));
    expect(shown.outcome.succeeds).toBe(false);
    expect(shown.findings.at(-1)).toBe(
      'Of 1 new rows of public.drops the policies for SELECT let 0 through. ' +
        'What is not visible cannot be answered: Prefer: return=minimal asks for no rows.',
    );
    const unseen = await explain(ann, 'drops', insert({ id: 1 }));
    expect(unseen.outcome).toEqual({ succeeds: true, rows: 1 });
  });

  it('of rows that are there is explained by what may be changed and what may become of it', async () => {
    const change = { method: 'PATCH', body: '{"team":9}' };
    const { outcome, accesses } = await explain(ann, 'posts?id=lt.3', change);
    expect(outcome).toMatchObject({ succeeds: false, error: { code: '42501' } });
    expect(accesses.map(({ command, rows, new_rows }) => [command, rows, new_rows])).toEqual([
      [
        'UPDATE',
        { considered: 2, is_partial: false, allowed: 1 },
        { considered: 2, is_partial: false, allowed: 0 },
      ],
      [
        'SELECT',
        { considered: 2, is_partial: false, allowed: 2 },
        { considered: 2, is_partial: false, allowed: 0 },
      ],
    ]);
  });
});

describe('who may ask', () => {
  const asAnn = async () => ({
    apikey: server.keys.publishableKey,
    authorization: `Bearer ${await tokenOf(server, ann)}`,
  });

  it('is the secret key’s holder: others are refused, and nothing runs', async () => {
    const response = await ask(await asAnn(), 'posts?id=eq.1', { method: 'DELETE' });
    expect([response.status, await response.json()]).toEqual([
      403,
      {
        code: '42501',
        message: 'permission denied to explain policies',
        details: null,
        hint: 'Send the secret key, or have the role named in pgrst.galley_explain_policies_roles.',
      },
    ]);
    const { rows } = await server.project.database.query('select id from posts where id = 1');
    expect(rows).toHaveLength(1);
  });

  it('wants the secret key to be who asks, not beside a person’s token', async () => {
    const { secretKey } = server.keys;
    const both = await ask(
      { ...(await asAnn()), apikey: secretKey, 'galley-explain-as': secretKey },
      'posts',
    );
    expect(both.status).toBe(403);
    const forged = await ask({ apikey: secretKey, 'galley-explain-as': 'nobody' }, 'posts');
    expect([forged.status, (await jsonOf(forged)).code]).toEqual([401, 'PGRST301']);
  });

  it('may be a role that the settings name, which is told of itself alone and of no rows', async () => {
    const { database } = server.project;
    const { rows } = await database.query<{ name: string }>('select current_database() as name');
    await database.query(
      `alter role authenticator in database "${rows[0]!.name}" set pgrst.galley_explain_policies_roles = 'authenticated'`,
    );
    await database.query(`notify pgrst, 'reload config'`);
    await eventually(async () => (await ask(await asAnn(), 'posts')).status === 200);
    const report = await jsonOf<Report>(await ask(await asAnn(), 'posts?id=eq.3'));
    expect(report.outcome).toEqual({ succeeds: true, rows: 0 });
    expect(report.findings).toEqual([
      'For SELECT on public.posts by authenticated a row has to pass one of: "my team", "published".',
    ]);
    const [access] = report.accesses;
    expect(Object.keys(access!)).not.toContain('rows');
    expect(Object.keys(access!)).not.toContain('other_policies');
    expect(access!.policies.every((policy) => !('rows' in policy))).toBe(true);
    const beneath = await jsonOf<Report>(await ask(await asAnn(), 'headlines'));
    expect(beneath.accesses.map(({ table }) => table)).toEqual(['headlines']);
    const spying = await ask(
      { ...(await asAnn()), 'galley-explain-as': await tokenOf(server, bob) },
      'posts',
    );
    expect(spying.status).toBe(403);
    expect((await ask({ apikey: server.keys.publishableKey }, 'posts')).status).toBe(403);
  });

  it('is told that a function is not explained', async () => {
    const response = await ask({ apikey: server.keys.secretKey }, 'rpc/one_film');
    expect([response.status, (await jsonOf(response)).code]).toEqual([400, 'PGRST127']);
  });
});
