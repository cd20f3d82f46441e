-- What is temporary is seen by its session alone, and the data API plans nothing by it: functions that make temporary
-- tables are no change of the schema. Casts are one, by which domains are represented.

create or replace function galley.note_schema_change() returns event_trigger language plpgsql security definer
  set search_path = pg_catalog as $$
begin
  if tg_event = 'sql_drop' then
    if exists (select from pg_event_trigger_dropped_objects())
      and not exists (
        -- Whether what goes with a table or view is temporary PostgreSQL does not say.
        select from pg_event_trigger_dropped_objects()
        where not is_temporary and (original or object_type not in ('default value', 'rule', 'trigger', 'policy'))
      )
    then
      return;
    end if;
  elsif exists (select from pg_event_trigger_ddl_commands())
    and not exists (
      select from pg_event_trigger_ddl_commands() where schema_name is distinct from 'pg_temp'
    )
  then
    return;
  end if;
  perform pg_advisory_xact_lock_shared('galley.schema_changes'::regclass::oid::bigint);
  perform nextval('galley.schema_changes');
  perform pg_notify('pgrst', 'reload schema');
end
$$;

drop event trigger galley_schema_changed;
create event trigger galley_schema_changed on ddl_command_end
  when tag in (
    'CREATE SCHEMA', 'ALTER SCHEMA',
    'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE',
    'CREATE FOREIGN TABLE', 'ALTER FOREIGN TABLE', 'IMPORT FOREIGN SCHEMA',
    'CREATE VIEW', 'ALTER VIEW', 'CREATE MATERIALIZED VIEW', 'ALTER MATERIALIZED VIEW',
    'CREATE FUNCTION', 'ALTER FUNCTION', 'ALTER ROUTINE', 'CREATE AGGREGATE', 'ALTER AGGREGATE',
    'CREATE TYPE', 'ALTER TYPE', 'CREATE DOMAIN', 'ALTER DOMAIN', 'CREATE CAST',
    'CREATE EXTENSION', 'ALTER EXTENSION',
    'CREATE TRIGGER', 'CREATE RULE', 'COMMENT'
  )
  execute function galley.note_schema_change();

drop event trigger galley_schema_dropped;
create event trigger galley_schema_dropped on sql_drop
  when tag in (
    'DROP SCHEMA', 'DROP TABLE', 'DROP FOREIGN TABLE', 'DROP VIEW', 'DROP MATERIALIZED VIEW',
    'DROP FUNCTION', 'DROP ROUTINE', 'DROP AGGREGATE', 'DROP TYPE', 'DROP DOMAIN', 'DROP CAST', 'DROP EXTENSION',
    'DROP OWNED', 'DROP TRIGGER', 'DROP RULE', 'ALTER TABLE'
  )
  execute function galley.note_schema_change();
