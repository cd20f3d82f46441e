-- HTTP requests that are made by deliveries, and webhooks: URLs that want to be told of events.

-- What a delivery is to request: a call of a function that was asked to be answered later, or what a trigger of
-- `supabase_functions.http_request` named. Written before the delivery, and removed some time after its end.
create table delivery_requests (
  delivery_id uuid primary key,
  project_ref text not null references projects on delete cascade,
  method text not null,
  -- Of a function: path and query as it sees them; else the URL.
  target text not null,
  headers jsonb not null,
  body bytea,
  timeout_ms integer,
  -- Who may ask what became of it; null: only who manages the project.
  caller text,
  -- The verified claims of who asked, as JSON text: the function is called as them.
  claims text,
  -- Of function, caller and `Idempotency-Key`.
  idempotency_id uuid unique,
  -- SHA-256 of the request.
  fingerprint bytea,
  response_status integer,
  response_headers jsonb,
  -- Null when it was too large to be kept.
  response_body bytea,
  created_at timestamptz(3) not null default now()
);
create index delivery_requests_project_ref_created_at_idx on delivery_requests (project_ref, created_at);

create table webhooks (
  id uuid primary key,
  project_ref text not null references projects on delete cascade,
  name text not null,
  url text not null,
  event text not null,
  filter jsonb not null,
  -- The name of the project's secret that signs it.
  secret text not null,
  attempts integer not null,
  -- Set when it is told nothing any more, and why.
  disabled_at timestamptz(3),
  disabled_reason text,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  unique (project_ref, name)
);

-- Which targets that are not functions have work: `function_slug` names them with a dot, which no function's name has.
create index deliveries_elsewhere_idx on deliveries (project_ref, function_slug, created_at)
  where state in ('queued', 'running') and function_slug like '%.%';

-- How many calls of a function wait.
create index deliveries_calls_idx on deliveries (project_ref, function_slug)
  where state = 'queued' and event_name = 'http.call';
