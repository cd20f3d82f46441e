-- Queues in the project's own database, in the shape of the extension pgmq, as Supabase Queues have it: a table
-- `pgmq.q_<name>` of messages and one `pgmq.a_<name>` of archived ones. Whoever sends or reads does so by its rights on
-- these tables. Where there is a schema `pgmq` already (the extension's) it is left alone, and used.

-- Queues that functions subscribe to; the workers keep it. Their messages are carried to the functions.
create table galley.pushed_queues (queue_name text primary key);

-- A message becomes an event in the transaction that sends it; until the event's deliveries have ended nobody reads it.
-- One that is to be delayed is pushed when its time has come. It runs as its owner, so that a sender needs no rights on
-- the outbox.
create function galley.push_message() returns trigger language plpgsql security definer
  set search_path = pg_catalog, galley as $$
begin
  new.origin := jsonb_build_object(
    'request_id', coalesce(current_setting('galley.request_id', true), ''),
    'depth', coalesce(nullif(current_setting('galley.depth', true), '')::integer, 0),
    'root_id', coalesce(nullif(current_setting('galley.root', true), ''), current_setting('galley.request_id', true), '')
  );
  new.pushed_as := null;
  if not exists (select from galley.pushed_queues where queue_name = tg_argv[0]) then
    return new;
  end if;
  if new.vt > clock_timestamp() then
    perform pg_notify('galley_queues', '');
    return new;
  end if;
  new.pushed_as := gen_random_uuid();
  new.vt := 'infinity';
  perform galley.append_message(tg_argv[0], new.pushed_as, new.msg_id, new.enqueued_at, new.message, new.origin);
  return new;
end
$$;

create function galley.append_message(
  queue text, event_id uuid, msg_id bigint, enqueued_at timestamptz, message jsonb, origin jsonb
) returns void language sql set search_path = pg_catalog, galley as $$
  select galley.count_event();
  insert into galley.outbox (id, name, payload, request_id, depth, root_id)
  values (
    event_id,
    'queue.message',
    jsonb_build_object('queue', queue, 'record', jsonb_build_object(
      'queue', queue, 'msg_id', msg_id, 'enqueued_at', enqueued_at, 'message', message
    )),
    coalesce(origin ->> 'request_id', ''),
    coalesce((origin ->> 'depth')::integer, 0),
    coalesce(origin ->> 'root_id', '')
  )
$$;

-- Pushes up to `most` messages whose time has come and that were not pushed when they were sent: those with a delay, and
-- those from before a function subscribed. `due_at` is when the next one's time comes.
create function galley.push_due_messages(most integer, out pushed integer, out due_at timestamptz)
  language plpgsql set search_path = pg_catalog, galley as $$
declare
  queue text;
  queue_table text;
  taken integer;
  next_due timestamptz;
begin
  pushed := 0;
  for queue, queue_table in
    select q.queue_name, 'q_' || q.queue_name from galley.pushed_queues q
    where to_regclass(format('pgmq.%I', 'q_' || q.queue_name)) is not null order by 1
  loop
    execute format(
      'with due as (
         select msg_id from pgmq.%1$I where pushed_as is null and vt <= clock_timestamp()
         order by vt, msg_id limit $1 for update skip locked
       ), taken as (
         update pgmq.%1$I m set vt = ''infinity'', pushed_as = gen_random_uuid()
         from due where m.msg_id = due.msg_id returning m.*
       )
       select count(galley.append_message($2, pushed_as, msg_id, enqueued_at, message, origin))
       from (select * from taken order by msg_id) ordered', queue_table)
      into taken using most - pushed, queue;
    pushed := pushed + taken;
    execute format('select min(vt) from pgmq.%I where pushed_as is null', queue_table) into next_due;
    due_at := least(due_at, next_due);
  end loop;
end
$$;

-- What becomes of messages that were pushed, `[{queue, msg_id, event_id, state}]`: `succeeded` ends one, `open` keeps it
-- from readers, `failed` leaves it to them, `unwanted` makes as if it had never been pushed. Of an event that was refused
-- only its id is known.
create function galley.settle_messages(settled jsonb) returns void language plpgsql
  set search_path = pg_catalog, galley as $$
declare
  one record;
begin
  for one in
    select s.*, 'q_' || m.queue_name as queue_table
    from jsonb_to_recordset(settled) as s (queue text, msg_id bigint, event_id uuid, state text)
      join pgmq.meta m on m.queue_name = coalesce(s.queue, m.queue_name)
        -- Somebody may have dropped its table and no more.
        and to_regclass(format('pgmq.%I', 'q_' || m.queue_name)) is not null
  loop
    execute format(case one.state
      when 'succeeded' then 'delete from pgmq.%I'
      when 'open' then 'update pgmq.%I set vt = ''infinity'''
      when 'failed' then 'update pgmq.%I set vt = least(vt, clock_timestamp())'
      when 'unwanted' then 'update pgmq.%I set vt = clock_timestamp(), pushed_as = null'
    end || ' where msg_id = coalesce($1, msg_id) and pushed_as = $2', one.queue_table)
      using one.msg_id, one.event_id;
  end loop;
end
$$;

-- The same as `pgmq.send`, of one message.
create function galley.send(queue text, payload jsonb, delay_seconds integer default 0) returns bigint
  language plpgsql set search_path = '' as $$
begin
  return (select id from pgmq.send(queue, payload, delay_seconds) as id);
end
$$;

revoke execute on all functions in schema galley from public;
grant execute on function galley.bounded, galley.send to public;

do $create$
begin
if to_regnamespace('pgmq') is not null then
  return;
end if;
execute $pgmq$

create schema pgmq;

create type pgmq.message_record as (
  msg_id bigint, read_ct integer, enqueued_at timestamptz, vt timestamptz, message jsonb
);
create type pgmq.queue_record as (
  queue_name varchar, is_partitioned boolean, is_unlogged boolean, created_at timestamptz
);
create type pgmq.metrics_result as (
  queue_name text, queue_length bigint, newest_msg_age_sec integer, oldest_msg_age_sec integer,
  total_messages bigint, scrape_time timestamptz, queue_visible_length bigint
);

create table pgmq.meta (
  queue_name varchar primary key,
  is_partitioned boolean not null default false,
  is_unlogged boolean not null default false,
  created_at timestamptz not null default now()
);
grant select on pgmq.meta to service_role;

-- The name of a queue's table: prefix `q`, or `a` for its archive.
create function pgmq.format_table_name(queue_name text, prefix text) returns text language plpgsql immutable
  set search_path = '' as $f$
begin
  if lower(queue_name) !~ '^[a-z0-9_-]{1,47}$' or queue_name is null then
    raise invalid_parameter_value using
      message = format('"%s" is not the name of a queue', left(queue_name, 100)),
      hint = 'Expected up to 47 letters, digits, "_" and "-".';
  end if;
  return prefix || '_' || lower(queue_name);
end
$f$;

-- For whoever owns the schema: a new queue is open to service_role alone. Others need grants on its table, and policies.
create function pgmq.create(queue_name text) returns void language plpgsql set search_path = '' as $f$
declare
  max_queues constant integer := 1000;
  queue text := lower(queue_name);
  of_queue text := pgmq.format_table_name(queue_name, 'q');
  of_archive text := pgmq.format_table_name(queue_name, 'a');
begin
  perform pg_advisory_xact_lock(hashtextextended('pgmq.create', 0));
  if exists (select from pgmq.meta m where m.queue_name = queue) then
    return;
  end if;
  if (select count(*) from pgmq.meta) >= max_queues then
    raise program_limit_exceeded using message = format('A project may have %s queues', max_queues);
  end if;
  insert into pgmq.meta (queue_name) values (queue);
  execute format('
    create table pgmq.%1$I (
      msg_id bigint generated always as identity primary key,
      read_ct integer not null default 0,
      enqueued_at timestamptz not null default clock_timestamp(),
      vt timestamptz not null,
      message jsonb,
      -- The event by which it was carried to functions.
      pushed_as uuid,
      -- The request that sent it, and how many functions stand before it.
      origin jsonb
    );
    create index on pgmq.%1$I (vt) where pushed_as is null;
    create table pgmq.%2$I (
      msg_id bigint primary key,
      read_ct integer not null,
      enqueued_at timestamptz not null,
      archived_at timestamptz not null default clock_timestamp(),
      vt timestamptz not null,
      message jsonb
    );
    create index on pgmq.%2$I (archived_at);
    alter table pgmq.%1$I enable row level security;
    alter table pgmq.%2$I enable row level security;
    grant select, insert, update, delete on pgmq.%1$I, pgmq.%2$I to service_role;
    create trigger galley_push before insert on pgmq.%1$I
      for each row execute function galley.push_message(%3$L)', of_queue, of_archive, queue);
  execute format('grant select on sequence %s to service_role',
    pg_get_serial_sequence(format('pgmq.%I', of_queue), 'msg_id'));
end
$f$;

create function pgmq.drop_queue(queue_name text) returns boolean language plpgsql set search_path = '' as $f$
begin
  execute format('drop table if exists pgmq.%I, pgmq.%I',
    pgmq.format_table_name(queue_name, 'q'), pgmq.format_table_name(queue_name, 'a'));
  delete from pgmq.meta m where m.queue_name = lower(drop_queue.queue_name);
  return found;
end
$f$;

create function pgmq.send_batch(queue_name text, msgs jsonb[], delay integer default 0) returns setof bigint
  language plpgsql set search_path = '' as $f$
declare
  max_batch constant integer := 1000;
  -- Half of `limits.eventPayloadBytes` of libs/platform: as an event a message is still within it.
  max_message_bytes constant integer := 256 * 1024;
  max_delay_seconds constant integer := 366 * 24 * 3600;
begin
  if cardinality(msgs) > max_batch then
    raise sqlstate 'PT413' using message = format('A batch may have %s messages', max_batch);
  end if;
  if exists (select from unnest(msgs) m where octet_length(m::text) > max_message_bytes) then
    raise sqlstate 'PT413' using message = format('A message may have %s bytes', max_message_bytes);
  end if;
  if delay is null or delay not between 0 and max_delay_seconds then
    raise invalid_parameter_value using
      message = format('The delay must be from 0 to %s seconds', max_delay_seconds);
  end if;
  return query execute format(
    'insert into pgmq.%I (vt, message)
     select clock_timestamp() + make_interval(secs => $2), m from unnest($1) with ordinality as u (m, n) order by n
     returning msg_id', pgmq.format_table_name(queue_name, 'q')) using msgs, delay;
end
$f$;

create function pgmq.send(queue_name text, msg jsonb, delay integer default 0) returns setof bigint
  language sql set search_path = '' as $f$
  select * from pgmq.send_batch(queue_name, array[msg], delay)
$f$;

create function pgmq.read(queue_name text, vt integer, qty integer) returns setof pgmq.message_record
  language plpgsql set search_path = '' as $f$
declare
  max_read constant integer := 1000;
begin
  if qty is null or qty not between 1 and max_read then
    raise invalid_parameter_value using
      message = format('The number of messages to read must be from 1 to %s', max_read);
  end if;
  return query execute format(
    'with visible as (
       select msg_id from pgmq.%1$I where vt <= clock_timestamp() order by msg_id limit $1 for update skip locked
     ), taken as (
       update pgmq.%1$I m set vt = clock_timestamp() + make_interval(secs => $2), read_ct = read_ct + 1
       from visible where m.msg_id = visible.msg_id
       returning m.msg_id, m.read_ct, m.enqueued_at, m.vt, m.message
     )
     select * from taken order by msg_id', pgmq.format_table_name(queue_name, 'q')) using qty, vt;
end
$f$;

create function pgmq.pop(queue_name text) returns setof pgmq.message_record
  language plpgsql set search_path = '' as $f$
begin
  return query execute format(
    'delete from pgmq.%1$I where msg_id = (
       select msg_id from pgmq.%1$I where vt <= clock_timestamp() order by msg_id limit 1 for update skip locked
     ) returning msg_id, read_ct, enqueued_at, vt, message', pgmq.format_table_name(queue_name, 'q'));
end
$f$;

create function pgmq.archive(queue_name text, msg_ids bigint[]) returns setof bigint
  language plpgsql set search_path = '' as $f$
begin
  return query execute format(
    'with gone as (
       delete from pgmq.%I where msg_id = any($1) returning msg_id, read_ct, enqueued_at, vt, message
     )
     insert into pgmq.%I (msg_id, read_ct, enqueued_at, vt, message) select * from gone returning msg_id',
    pgmq.format_table_name(queue_name, 'q'), pgmq.format_table_name(queue_name, 'a')) using msg_ids;
end
$f$;

create function pgmq.archive(queue_name text, msg_id bigint) returns boolean
  language sql set search_path = '' as $f$
  select exists (select from pgmq.archive(queue_name, array[msg_id]))
$f$;

create function pgmq.delete(queue_name text, msg_ids bigint[]) returns setof bigint
  language plpgsql set search_path = '' as $f$
begin
  return query execute format('delete from pgmq.%I where msg_id = any($1) returning msg_id',
    pgmq.format_table_name(queue_name, 'q')) using msg_ids;
end
$f$;

create function pgmq.delete(queue_name text, msg_id bigint) returns boolean
  language sql set search_path = '' as $f$
  select exists (select from pgmq.delete(queue_name, array[msg_id]))
$f$;

create function pgmq.set_vt(queue_name text, msg_id bigint, vt integer) returns setof pgmq.message_record
  language plpgsql set search_path = '' as $f$
begin
  return query execute format(
    'update pgmq.%I set vt = clock_timestamp() + make_interval(secs => $2) where msg_id = $1
     returning msg_id, read_ct, enqueued_at, vt, message', pgmq.format_table_name(queue_name, 'q'))
    using msg_id, vt;
end
$f$;

create function pgmq.purge_queue(queue_name text) returns bigint language plpgsql set search_path = '' as $f$
declare
  purged bigint;
begin
  execute format('delete from pgmq.%I', pgmq.format_table_name(queue_name, 'q'));
  get diagnostics purged = row_count;
  return purged;
end
$f$;

create function pgmq.list_queues() returns setof pgmq.queue_record language sql stable set search_path = '' as $f$
  select queue_name, is_partitioned, is_unlogged, created_at from pgmq.meta order by queue_name
$f$;

create function pgmq.metrics(queue_name text) returns pgmq.metrics_result
  language plpgsql set search_path = '' as $f$
declare
  of_queue text := pgmq.format_table_name(queue_name, 'q');
  result pgmq.metrics_result;
begin
  execute format(
    'select $1, count(*), extract(epoch from clock_timestamp() - max(enqueued_at))::integer,
            extract(epoch from clock_timestamp() - min(enqueued_at))::integer,
            coalesce(pg_sequence_last_value(pg_get_serial_sequence(%L, ''msg_id'')::regclass), 0),
            clock_timestamp(), count(*) filter (where vt <= clock_timestamp())
     from pgmq.%I', format('pgmq.%I', of_queue), of_queue) into result using queue_name;
  return result;
end
$f$;

create function pgmq.metrics_all() returns setof pgmq.metrics_result language sql set search_path = '' as $f$
  select m.* from pgmq.list_queues() q, lateral pgmq.metrics(q.queue_name) m
$f$;

grant usage on schema pgmq to public;
revoke execute on function pgmq.create, pgmq.drop_queue from public;
$pgmq$;
end
$create$;

-- What Supabase's SDKs call: `supabase.schema('pgmq_public').rpc('send', …)`.
do $create$
begin
if to_regnamespace('pgmq_public') is not null or to_regtype('pgmq.message_record') is null then
  return;
end if;
-- What an extension's functions are like, a call will show.
set local check_function_bodies = off;
execute $pgmq$

create schema pgmq_public;

create function pgmq_public.send(queue_name text, message jsonb, sleep_seconds integer default 0)
  returns setof bigint language sql set search_path = '' as $f$
  select * from pgmq.send(queue_name, message, sleep_seconds)
$f$;

create function pgmq_public.send_batch(queue_name text, messages jsonb[], sleep_seconds integer default 0)
  returns setof bigint language sql set search_path = '' as $f$
  select * from pgmq.send_batch(queue_name, messages, sleep_seconds)
$f$;

create function pgmq_public.read(queue_name text, sleep_seconds integer, n integer)
  returns setof pgmq.message_record language sql set search_path = '' as $f$
  select * from pgmq.read(queue_name, sleep_seconds, n)
$f$;

create function pgmq_public.pop(queue_name text)
  returns setof pgmq.message_record language sql set search_path = '' as $f$
  select * from pgmq.pop(queue_name)
$f$;

create function pgmq_public.archive(queue_name text, message_id bigint)
  returns boolean language sql set search_path = '' as $f$
  select pgmq.archive(queue_name, message_id)
$f$;

create function pgmq_public.delete(queue_name text, message_id bigint)
  returns boolean language sql set search_path = '' as $f$
  select pgmq.delete(queue_name, message_id)
$f$;

grant usage on schema pgmq_public to public;
$pgmq$;
end
$create$;
