// The data that every server of the comparison serves: projects of one person with notes, and those with comments.
import pg from 'pg';

export const projects = 2_500;
export const notes = 25_000;
export const owner = '00000000-0000-4000-8000-000000000001';

/** Tables under row-level security and their rows. `auth.uid()` and the roles of Supabase must be there. */
export async function makeNotes(connection) {
  const client = new pg.Client(connection);
  await client.connect();
  await client.query(tables);
  await client.query(
    `insert into public.projects select i, $1, 'Project ' || i from generate_series(1, $2::int) i`,
    [owner, projects],
  );
  await client.query(
    `insert into public.notes
     select i, $1, 1 + (i - 1) % $3::int, 'Note ' || i, repeat('text ', 20), i % 2 = 0 from generate_series(1, $2::int) i`,
    [owner, notes, projects],
  );
  await client.query(
    `insert into public.comments select i, $1, i, 'Comment ' || i from generate_series(1, $2::int) i`,
    [owner, notes],
  );
  await client.query('analyze');
  await client.query("notify pgrst, 'reload schema'");
  await client.end();
}

const policy = (table) => `
  alter table public.${table} enable row level security;
  create policy "Owners" on public.${table} to authenticated
    using (owner = (select auth.uid())) with check (owner = (select auth.uid()));
  grant all on public.${table} to authenticated;`;

const tables = `
  create table public.projects (id bigint primary key, owner uuid not null, name text not null);
  create table public.notes (
    id bigint primary key, owner uuid not null, project_id bigint not null references public.projects,
    title text not null, body text, done boolean);
  create index on public.notes (project_id);
  create table public.comments (
    id bigint primary key, owner uuid not null, note_id bigint not null references public.notes, body text not null);
  create index on public.comments (note_id);
  create table public.logs (
    id bigint generated always as identity primary key, owner uuid not null default auth.uid(), line text not null);
  create function public.open_notes(project bigint) returns bigint language sql stable
    return (select count(*) from public.notes where project_id = project and not done);
  ${['projects', 'notes', 'comments', 'logs'].map(policy).join('')}`;
