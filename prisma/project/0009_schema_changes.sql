-- A sequence counts at once, also for who does not see the change yet. So whoever reads the counter must be able to
-- tell that a change is on its way: until it has committed, it holds this lock, which hinders nobody.
create or replace function galley.note_schema_change() returns event_trigger language plpgsql security definer
  set search_path = pg_catalog as $$
begin
  perform pg_advisory_xact_lock_shared('galley.schema_changes'::regclass::oid::bigint);
  perform nextval('galley.schema_changes');
  perform pg_notify('pgrst', 'reload schema');
end
$$;
