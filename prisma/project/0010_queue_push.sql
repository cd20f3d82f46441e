-- Queues: what was pushed is found by an index, and no message that somebody wrote by hand holds up the others.

-- Whether another relay holds a claim is asked before each claim where events have an order.
create index outbox_leased_idx on galley.outbox (leased_until) where leased_until is not null;

-- Where a message comes from stands in its row, which whoever has rights on the table may write.
create or replace function galley.append_message(
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
    left(coalesce(origin ->> 'request_id', ''), 200),
    case when origin ->> 'depth' ~ '^[0-9]{1,6}$' then (origin ->> 'depth')::integer else 0 end,
    left(coalesce(origin ->> 'root_id', ''), 200)
  )
$$;

-- As before; `due_in_ms` is how long until the next one's time comes, null where none does. A time may be written that is
-- no date, as `infinity`: such a message waits until somebody gives it another.
drop function galley.push_due_messages;
create function galley.push_due_messages(most integer, out pushed integer, out due_in_ms double precision)
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
    execute format('select min(vt) from pgmq.%I where pushed_as is null and vt < ''infinity''', queue_table)
      into next_due;
    if next_due is not null then
      due_in_ms := least(due_in_ms,
        extract(epoch from greatest(next_due, clock_timestamp()) - clock_timestamp())::float8 * 1000);
    end if;
  end loop;
end
$$;

-- As before; the event alone tells which message it is.
create or replace function galley.settle_messages(settled jsonb) returns void language plpgsql
  set search_path = pg_catalog, galley as $$
declare
  one record;
begin
  for one in
    select s.*, 'q_' || m.queue_name as queue_table
    from jsonb_to_recordset(settled) as s (queue text, event_id uuid, state text)
      join pgmq.meta m on m.queue_name = coalesce(s.queue, m.queue_name)
        -- Somebody may have dropped its table and no more.
        and to_regclass(format('pgmq.%I', 'q_' || m.queue_name)) is not null
  loop
    execute format(case one.state
      when 'succeeded' then 'delete from pgmq.%I'
      when 'open' then 'update pgmq.%I set vt = ''infinity'''
      when 'failed' then 'update pgmq.%I set vt = least(vt, clock_timestamp())'
      when 'unwanted' then 'update pgmq.%I set vt = clock_timestamp(), pushed_as = null'
    end || ' where pushed_as = $1', one.queue_table) using one.event_id;
  end loop;
end
$$;

-- What was pushed is found by its event: in the queues that are there already, and in those to come. (Where the schema is
-- the extension's, it is left alone.)
do $index$
declare
  queue_table text;
begin
  if not exists (select from pg_proc where pronamespace = to_regnamespace('pgmq') and prosrc like '%galley_push%') then
    return;
  end if;
  for queue_table in
    select 'q_' || queue_name from pgmq.meta where to_regclass(format('pgmq.%I', 'q_' || queue_name)) is not null
  loop
    execute format('create index on pgmq.%I (pushed_as) where pushed_as is not null', queue_table);
  end loop;
  execute $pgmq$
create or replace function pgmq.create(queue_name text) returns void language plpgsql set search_path = '' as $f$
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
    create index on pgmq.%1$I (pushed_as) where pushed_as is not null;
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
$pgmq$;
end
$index$;

revoke execute on all functions in schema galley from public;
grant execute on function galley.bounded, galley.send to public;
