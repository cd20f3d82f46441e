-- What calls that are answered later keep in the database: anybody may make them, so they have a bound there.

create table kept_calls (
  project_ref text not null references projects on delete cascade,
  -- Writers at the same time take different parts, so that they need not wait for each other's commit.
  part smallint not null,
  calls bigint not null,
  bytes bigint not null,
  -- Of these, what callers keep who may be anybody.
  anonymous_calls bigint not null,
  anonymous_bytes bigint not null,
  primary key (project_ref, part)
) with (fillfactor = 50);

-- What a request and its answer take, with their rows.
create function kept_bytes(kept delivery_requests) returns bigint language sql immutable as $$
  select 1024 + octet_length(kept.target) + octet_length(kept.headers::text) + coalesce(octet_length(kept.body), 0)
    + coalesce(octet_length(kept.claims), 0) + coalesce(octet_length(kept.response_headers::text), 0)
    + coalesce(octet_length(kept.response_body), 0)
$$;

create function is_anonymous(kept delivery_requests) returns boolean language sql immutable as $$
  select kept.caller ~ '^(anon|keyless|stranger):'
$$;

-- Adds to what is counted, or takes away. Of a project that is being deleted nothing is counted any more.
create function count_kept_calls() returns trigger language plpgsql as $$
begin
  if tg_op <> 'DELETE' then
    insert into kept_calls as k
    select r.project_ref, pg_backend_pid() % 64, count(*), sum(kept_bytes(r)),
           count(*) filter (where is_anonymous(r)), coalesce(sum(kept_bytes(r)) filter (where is_anonymous(r)), 0)
    from written r where r.caller is not null group by 1
    on conflict (project_ref, part) do update set
      calls = k.calls + excluded.calls, bytes = k.bytes + excluded.bytes,
      anonymous_calls = k.anonymous_calls + excluded.anonymous_calls,
      anonymous_bytes = k.anonymous_bytes + excluded.anonymous_bytes;
  end if;
  if tg_op <> 'INSERT' then
    insert into kept_calls as k
    select r.project_ref, pg_backend_pid() % 64, -count(*), -sum(kept_bytes(r)),
           -count(*) filter (where is_anonymous(r)), -coalesce(sum(kept_bytes(r)) filter (where is_anonymous(r)), 0)
    from gone r join projects p on p.ref = r.project_ref where r.caller is not null group by 1
    on conflict (project_ref, part) do update set
      calls = k.calls + excluded.calls, bytes = k.bytes + excluded.bytes,
      anonymous_calls = k.anonymous_calls + excluded.anonymous_calls,
      anonymous_bytes = k.anonymous_bytes + excluded.anonymous_bytes;
  end if;
  return null;
end
$$;
create trigger delivery_requests_kept after insert on delivery_requests
  referencing new table as written for each statement execute function count_kept_calls();
create trigger delivery_requests_changed after update on delivery_requests
  referencing old table as gone new table as written for each statement execute function count_kept_calls();
create trigger delivery_requests_removed after delete on delivery_requests
  referencing old table as gone for each statement execute function count_kept_calls();

insert into kept_calls
  select r.project_ref, 0, count(*), sum(kept_bytes(r)),
         count(*) filter (where is_anonymous(r)), coalesce(sum(kept_bytes(r)) filter (where is_anonymous(r)), 0)
  from delivery_requests r where r.caller is not null group by 1;
