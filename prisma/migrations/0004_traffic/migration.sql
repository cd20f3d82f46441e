-- Which deployments answer for a function, by percentage; an empty list: the active one alone.
alter table functions add column traffic jsonb not null default '[]';
-- Whether one of them wants processes of its own to be kept (min_instances).
alter table functions add column provisioned boolean not null default false;

-- From spawn to listening, of an invocation that an instance was started for.
alter table invocations add column boot_ms double precision;

-- Processor time of instances outside of any invocation.
create table background_usage (
  project_ref text not null references projects on delete cascade,
  hour timestamptz(3) not null,
  deployment_id uuid not null,
  function_slug text not null,
  starts bigint not null,
  boot_cpu_ms double precision not null,
  idle_cpu_ms double precision not null,
  primary key (project_ref, hour, deployment_id)
);
