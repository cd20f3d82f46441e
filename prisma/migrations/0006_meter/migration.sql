-- Bodies of the request and of the answer; of a WebSocket all that went each way.
alter table invocations add column bytes_in bigint not null default 0;
alter table invocations add column bytes_out bigint not null default 0;

-- What functions exchanged with other hosts.
alter table background_usage add column egress_sent_bytes bigint not null default 0;
alter table background_usage add column egress_received_bytes bigint not null default 0;

-- Heads and bodies, as they passed through the connections of clients.
alter table request_counts add column bytes_in bigint not null default 0;
alter table request_counts add column bytes_out bigint not null default 0;

-- Sums of invocations by the hour in which they began, written in the transaction of the invocations themselves.
create table invocation_hours (
  project_ref text not null references projects on delete cascade,
  hour timestamptz(3) not null,
  function_slug text not null,
  -- Writers of the same hour take different parts, so that they need not wait for each other's commit.
  part smallint not null,
  invocations bigint not null,
  failed bigint not null,
  cold_starts bigint not null,
  wall_ms double precision not null,
  longest_wall_ms double precision not null,
  cpu_ms double precision not null,
  gb_ms double precision not null,
  -- The same with each invocation's time rounded up to whole milliseconds, as clouds bill it.
  whole_gb_ms double precision not null,
  peak_memory_bytes bigint not null,
  bytes_in bigint not null,
  bytes_out bigint not null,
  primary key (project_ref, hour, function_slug, part)
);
insert into invocation_hours
  select i.project_ref, date_trunc('hour', started_at, 'UTC'), function_slug, 0, count(*),
         count(*) filter (where status = 'failed'), count(*) filter (where start = 'cold'),
         sum(wall_ms), max(wall_ms), sum(cpu_ms), sum(gb_ms), sum(ceil(wall_ms) * memory_bytes / 1073741824.0),
         max(peak_memory_bytes), sum(bytes_in), sum(bytes_out)
  from invocations i join projects p on p.ref = i.project_ref group by 1, 2, 3;

-- The most memory that invocations held at the same moment of an hour, worked out from their records when asked for.
create table reserved_peaks (
  project_ref text not null references projects on delete cascade,
  hour timestamptz(3) not null,
  -- '*': all functions together.
  function_slug text not null,
  gb double precision not null,
  -- How many invocations there were when it was worked out: with others it is worked out anew.
  seen bigint not null,
  at timestamptz(3) not null default now(),
  primary key (project_ref, hour, function_slug)
);

-- What a project used beside functions, by the hour: rows, events.
create table meter_hours (
  project_ref text not null references projects on delete cascade,
  hour timestamptz(3) not null,
  meter text not null,
  amount bigint not null,
  primary key (project_ref, hour, meter)
);

-- What there is rather than happens, looked at once an hour: bytes stored, users.
create table gauge_hours (
  project_ref text not null references projects on delete cascade,
  hour timestamptz(3) not null,
  gauge text not null,
  amount bigint not null,
  primary key (project_ref, hour, gauge)
);

-- Who signed in or went on with a session in a month.
create table active_users (
  project_ref text not null references projects on delete cascade,
  month date not null,
  user_id uuid not null,
  primary key (project_ref, month, user_id)
);

-- A project's own prices; without a row everything is free.
create table price_books (
  project_ref text primary key references projects on delete cascade,
  book jsonb not null,
  updated_at timestamptz(3) not null default now()
);

-- What a project, or one of its functions, may use in a day or month.
create table budgets (
  project_ref text not null references projects on delete cascade,
  -- '*': all functions together.
  function_slug text not null,
  measure text not null,
  period text not null,
  most double precision not null,
  warn_share double precision not null,
  primary key (project_ref, function_slug, measure, period)
);

-- What was told of a budget: once in each of its periods.
create table budget_notices (
  project_ref text not null references projects on delete cascade,
  function_slug text not null,
  measure text not null,
  period text not null,
  starts_at timestamptz(3) not null,
  -- warned or exceeded
  kind text not null,
  most double precision not null,
  used double precision not null,
  at timestamptz(3) not null default now(),
  primary key (project_ref, function_slug, measure, period, starts_at, kind)
);

-- The last batch that each process wrote: a batch whose commit was not heard of is not written twice.
create table usage_writers (
  writer uuid primary key,
  batch bigint not null,
  at timestamptz(3) not null default now()
);
