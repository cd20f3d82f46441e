-- The data API plans requests against a snapshot of the catalogues. These triggers tell it when that is out of
-- date: by a notification when the change commits, and by a counter that a request can check at once.

create sequence galley.schema_changes;

-- Runs as its owner, since whoever changes a schema need not have rights on the counter.
create function galley.note_schema_change() returns event_trigger language plpgsql security definer
  set search_path = pg_catalog as $$
begin
  perform nextval('galley.schema_changes');
  perform pg_notify('pgrst', 'reload schema');
end
$$;

create event trigger galley_schema_changed on ddl_command_end
  when tag in (
    'CREATE SCHEMA', 'ALTER SCHEMA',
    'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE',
    'CREATE FOREIGN TABLE', 'ALTER FOREIGN TABLE',
    'CREATE VIEW', 'ALTER VIEW', 'CREATE MATERIALIZED VIEW', 'ALTER MATERIALIZED VIEW',
    'CREATE FUNCTION', 'ALTER FUNCTION',
    'CREATE TYPE', 'ALTER TYPE', 'CREATE DOMAIN', 'ALTER DOMAIN',
    'CREATE EXTENSION', 'ALTER EXTENSION'
  )
  execute function galley.note_schema_change();

create event trigger galley_schema_dropped on sql_drop
  when tag in (
    'DROP SCHEMA', 'DROP TABLE', 'DROP FOREIGN TABLE', 'DROP VIEW', 'DROP MATERIALIZED VIEW',
    'DROP FUNCTION', 'DROP TYPE', 'DROP DOMAIN', 'DROP EXTENSION', 'DROP OWNED', 'ALTER TABLE'
  )
  execute function galley.note_schema_change();

-- Answers `body`, the text of a response, unless it is too long. An error undoes the change that it is the answer to.
-- (Without a search path of its own, which would cost more than all the rest: it runs as its caller.)
create function galley.bounded(body text, max_bytes integer) returns text language plpgsql immutable as $$
begin
  if pg_catalog.octet_length(body) > max_bytes then
    raise sqlstate 'PT413' using
      message = pg_catalog.format('The response would have more than %s bytes', max_bytes),
      hint = 'Ask for fewer rows or columns, or page through them with limit and offset.';
  end if;
  return body;
end
$$;

-- Every role that the data API takes calls it; of what else is in the schema nothing is granted.
revoke execute on all functions in schema galley from public;
grant usage on schema galley to public;
grant execute on function galley.bounded to public;
