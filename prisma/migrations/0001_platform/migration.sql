-- The platform's own tables. prisma/schema describes the same; a test compares the two.

create table projects (
  ref text primary key,
  sealed_keys bytea not null,
  created_at timestamptz(3) not null default now()
);

create table functions (
  project_ref text not null references projects on delete cascade,
  slug text not null,
  active_deployment_id uuid not null,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  primary key (project_ref, slug)
);

create table deployments (
  id uuid primary key,
  project_ref text not null references projects on delete cascade,
  function_slug text not null,
  number integer not null,
  manifest jsonb not null,
  source jsonb not null,
  code bytea not null,
  sha256 text not null,
  created_at timestamptz(3) not null default now(),
  unique (project_ref, function_slug, number)
);

create table secrets (
  project_ref text not null references projects on delete cascade,
  name text not null,
  sealed_value bytea not null,
  updated_at timestamptz(3) not null default now(),
  primary key (project_ref, name)
);

create table function_logs (
  id uuid primary key,
  project_ref text not null references projects on delete cascade,
  function_slug text not null,
  deployment_id uuid not null,
  invocation_id uuid,
  level text not null,
  message text not null,
  at timestamptz(3) not null
);
create index function_logs_project_ref_function_slug_at_idx on function_logs (project_ref, function_slug, at);

create table subscriptions (
  id uuid primary key,
  project_ref text not null references projects on delete cascade,
  function_slug text not null,
  event text not null,
  filter jsonb not null
);
create index subscriptions_project_ref_event_idx on subscriptions (project_ref, event);

create table deliveries (
  id uuid primary key,
  project_ref text not null references projects on delete cascade,
  subscription_id uuid not null,
  function_slug text not null,
  event_id uuid not null,
  event_name text not null,
  payload jsonb not null,
  request_id text not null,
  depth integer not null,
  state text not null default 'queued' check (state in ('queued', 'running', 'succeeded', 'dead')),
  attempts integer not null default 0,
  invocation_id uuid,
  last_error text,
  occurred_at timestamptz(3) not null,
  created_at timestamptz(3) not null default now(),
  finished_at timestamptz(3)
);
create index deliveries_project_ref_state_created_at_idx on deliveries (project_ref, state, created_at);
create index deliveries_invocation_id_idx on deliveries (invocation_id);
-- What the reconciler asks for: deliveries that should have a job.
create index deliveries_open_idx on deliveries (created_at) where state in ('queued', 'running');

create table invocations (
  id uuid primary key,
  project_ref text not null references projects on delete cascade,
  function_slug text not null,
  deployment_id uuid not null,
  trigger text not null check (trigger in ('http', 'event')),
  delivery_id uuid,
  attempt integer not null,
  request_id text not null,
  start text not null check (start in ('cold', 'warm')),
  status text not null check (status in ('succeeded', 'failed')),
  http_status integer,
  error text,
  started_at timestamptz(3) not null,
  wall_ms double precision not null,
  cpu_ms double precision not null,
  peak_memory_bytes bigint not null,
  memory_bytes bigint not null,
  gb_ms double precision not null
);
create index invocations_project_ref_function_slug_started_at_idx on invocations (project_ref, function_slug, started_at);
create index invocations_delivery_id_idx on invocations (delivery_id);
-- Delivered at least once, recorded as succeeded at most once.
create unique index invocations_succeeded_once on invocations (delivery_id) where status = 'succeeded';

create table request_counts (
  project_ref text not null references projects on delete cascade,
  hour timestamptz(3) not null,
  service text not null,
  count bigint not null,
  primary key (project_ref, hour, service)
);
