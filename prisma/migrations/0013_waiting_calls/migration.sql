-- How many calls that are answered later wait for each function: each that comes asks, and may not count them all.

create table waiting_calls (
  project_ref text not null references projects on delete cascade,
  function_slug text not null,
  -- Writers at the same time take different parts, so that they need not wait for each other's commit: their sum counts.
  part smallint not null,
  calls bigint not null,
  primary key (project_ref, function_slug, part)
) with (fillfactor = 50);

-- Of a project that is being deleted nothing is counted any more.
create function count_waiting_call() returns trigger language plpgsql as $$
declare
  of deliveries := case when tg_op = 'DELETE' then old else new end;
begin
  insert into waiting_calls as w
  select p.ref, of.function_slug, pg_backend_pid() % 64, case when tg_op <> 'DELETE' and of.state = 'queued' then 1 else -1 end
  from projects p where p.ref = of.project_ref
  on conflict (project_ref, function_slug, part) do update set calls = w.calls + excluded.calls;
  return null;
end
$$;
create trigger deliveries_call_waits after insert on deliveries for each row
  when (new.event_name = 'http.call' and new.state = 'queued') execute function count_waiting_call();
create trigger deliveries_call_begins after update of state on deliveries for each row
  when (new.event_name = 'http.call' and (old.state = 'queued') <> (new.state = 'queued')) execute function count_waiting_call();
create trigger deliveries_call_goes after delete on deliveries for each row
  when (old.event_name = 'http.call' and old.state = 'queued') execute function count_waiting_call();

insert into waiting_calls
  select project_ref, function_slug, 0, count(*) from deliveries
  where event_name = 'http.call' and state = 'queued' group by 1, 2;

-- What counted them had it.
drop index deliveries_calls_idx;
