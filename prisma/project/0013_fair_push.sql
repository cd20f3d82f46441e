-- As before, but it tells how many it pushed, and pushes no more than it was asked to: a function that returns void returns
-- null, of which `count` knows nothing. And in no order of the queues: one with a long backlog would hold up all whose
-- names come after its own.
create or replace function galley.push_due_messages(most integer, out pushed integer, out due_in_ms double precision)
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
    where to_regclass(format('pgmq.%I', 'q_' || q.queue_name)) is not null order by random()
  loop
    execute format(
      'with due as (
         select msg_id from pgmq.%1$I where pushed_as is null and vt <= clock_timestamp()
         order by vt, msg_id limit $1 for update skip locked
       ), taken as (
         update pgmq.%1$I m set vt = ''infinity'', pushed_as = gen_random_uuid()
         from due where m.msg_id = due.msg_id returning m.*
       )
       select galley.append_message($2, pushed_as, msg_id, enqueued_at, message, origin)
       from (select * from taken order by msg_id) ordered', queue_table)
      using most - pushed, queue;
    get diagnostics taken = row_count;
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
