-- What Galley adds to a project's database: the outbox, in which an event is committed together with its change.

create schema if not exists galley;
revoke all on schema galley from public;

create table galley.outbox (
  id uuid primary key,
  -- The order in which events were appended.
  position bigint generated always as identity,
  name text not null,
  payload jsonb not null,
  request_id text not null default '',
  -- Functions between the first cause and this event.
  depth integer not null default 0,
  occurred_at timestamptz(3) not null default clock_timestamp(),
  -- Set while a relay works on the event; past this another relay may take it.
  leased_until timestamptz
);
create index outbox_position_idx on galley.outbox (position);

comment on table galley.outbox is 'Events not yet handed to the queue. A row goes when all its deliveries are recorded.';

-- Takes a caller's role for the rest of the transaction. The platform itself may take any role, so it is held to those
-- that the callers' own connections may: not one that a token names and that is above row-level security.
create function galley.take_role(name text) returns void language plpgsql as $$
begin
  if not exists (
    select from pg_catalog.pg_roles r
    where r.rolname = name and pg_catalog.pg_has_role('authenticator', r.oid, 'member')
  ) then
    raise insufficient_privilege using message = pg_catalog.format('permission denied to set role "%s"', name);
  end if;
  perform pg_catalog.set_config('role', name, true);
end
$$;

-- The lock on the event's row, the lease and the deletion are all the relay needs; it wakes by this notification,
-- which PostgreSQL sends when the change commits and not before.
create function galley.notify_outbox() returns trigger language plpgsql as $$
begin
  perform pg_notify('galley_outbox', '');
  return null;
end
$$;
create trigger outbox_appended after insert on galley.outbox
  for each statement execute function galley.notify_outbox();

-- A change of rows must not fail because somebody listens. So a row too large for an event goes without its long
-- values, which are null in it and named in `left_out`. A UUID stays, and so 1,600 columns, PostgreSQL's bound, fit.
create function galley.without_long_values(row_change jsonb) returns jsonb language sql immutable
  set search_path = pg_catalog as $$
  with columns as (
    select side, key, case when octet_length(value::text) <= 40 then value end as value,
           octet_length(value::text) > 40 as is_long
    from (values ('record'), ('old_record')) as sides (side),
         lateral jsonb_each(nullif(row_change -> side, 'null'))
  )
  select row_change
    || coalesce((select jsonb_object_agg(side, columns) from (
         select side, jsonb_object_agg(key, value) as columns from columns group by side
       ) as sides), '{}')
    || jsonb_build_object('left_out', coalesce((select jsonb_agg(distinct key) from columns where is_long), '[]'))
$$;

-- Row changes of subscribed tables; libs/functions installs this trigger on them. It runs as its owner, so that a
-- caller without rights on the outbox can cause an event but not forge one.
create function galley.append_row_change() returns trigger language plpgsql security definer
  set search_path = pg_catalog, galley as $$
declare
  change text := case tg_op when 'INSERT' then 'row.inserted' when 'UPDATE' then 'row.updated' else 'row.deleted' end;
  -- `limits.eventPayloadBytes` of libs/platform.
  max_payload_bytes constant integer := 512 * 1024;
  row_change jsonb := jsonb_build_object(
    'schema', tg_table_schema,
    'table', tg_table_name,
    'record', case when tg_op = 'DELETE' then null else to_jsonb(new) end,
    'old_record', case when tg_op = 'INSERT' then null else to_jsonb(old) end
  );
begin
  if octet_length(row_change::text) > max_payload_bytes then
    row_change := galley.without_long_values(row_change);
  end if;
  insert into galley.outbox (id, name, payload, request_id, depth)
  values (
    gen_random_uuid(),
    change,
    row_change,
    coalesce(current_setting('galley.request_id', true), ''),
    coalesce(nullif(current_setting('galley.depth', true), '')::integer, 0)
  );
  return null;
end
$$;
