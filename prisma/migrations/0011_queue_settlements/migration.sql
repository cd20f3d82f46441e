-- Messages of each project follow their deliveries by themselves.

create index queue_settlements_project_ref_id_idx on queue_settlements (project_ref, id);

create or replace function note_queue_delivery() returns trigger language plpgsql as $$
begin
  insert into queue_settlements (project_ref, event_id) values (new.project_ref, new.event_id);
  perform pg_notify('galley_queues', new.project_ref);
  return null;
end
$$;
