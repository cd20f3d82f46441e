-- Stacks name the sources, and logs are searched and followed.

alter table deployments add column source_map bytea;

alter table function_logs
  -- In the order of commits: writers take turns. What was read up to a position is never added to later.
  add column position bigserial not null,
  add column source text not null default 'function' check (source in ('function', 'platform'));
create unique index function_logs_position_idx on function_logs (position);

drop index function_logs_project_ref_function_slug_at_idx;
create index function_logs_project_ref_function_slug_at_position_idx on function_logs (project_ref, function_slug, at, position);
create index function_logs_project_ref_at_position_idx on function_logs (project_ref, at, position);
create index function_logs_invocation_id_idx on function_logs (invocation_id, at, position) where invocation_id is not null;
