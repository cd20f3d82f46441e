-- Personal access tokens, and what happened while functions were built.

create table access_tokens (
  id uuid primary key,
  name text not null,
  hash bytea not null unique,
  created_at timestamptz(3) not null default now(),
  last_used_at timestamptz(3),
  expires_at timestamptz(3)
);

-- The name that people see; null: the slug.
alter table deployments add column name text;

create table builds (
  id uuid primary key,
  project_ref text not null references projects on delete cascade,
  function_slug text not null,
  status text not null default 'running' check (status in ('running', 'succeeded', 'failed')),
  error text,
  deployment_number integer,
  started_at timestamptz(3) not null default now(),
  -- Written again and again by the process that builds; an old one means that it is gone.
  alive_at timestamptz(3) not null default now(),
  ended_at timestamptz(3)
);
create index builds_project_ref_function_slug_started_at_idx on builds (project_ref, function_slug, started_at);
create index builds_running_idx on builds (alive_at) where status = 'running';

create table build_log_lines (
  build_id uuid not null references builds on delete cascade,
  number integer not null,
  message text not null,
  at timestamptz(3) not null,
  primary key (build_id, number)
);
