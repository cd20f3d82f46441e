-- What the data API describes and chooses by, beside what it plans by: comments, aggregates, routines by their general name.

drop event trigger galley_schema_changed;
create event trigger galley_schema_changed on ddl_command_end
  when tag in (
    'CREATE SCHEMA', 'ALTER SCHEMA',
    'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE',
    'CREATE FOREIGN TABLE', 'ALTER FOREIGN TABLE', 'IMPORT FOREIGN SCHEMA',
    'CREATE VIEW', 'ALTER VIEW', 'CREATE MATERIALIZED VIEW', 'ALTER MATERIALIZED VIEW',
    'CREATE FUNCTION', 'ALTER FUNCTION', 'ALTER ROUTINE', 'CREATE AGGREGATE', 'ALTER AGGREGATE',
    'CREATE TYPE', 'ALTER TYPE', 'CREATE DOMAIN', 'ALTER DOMAIN',
    'CREATE EXTENSION', 'ALTER EXTENSION',
    'CREATE TRIGGER', 'CREATE RULE', 'COMMENT'
  )
  execute function galley.note_schema_change();

drop event trigger galley_schema_dropped;
create event trigger galley_schema_dropped on sql_drop
  when tag in (
    'DROP SCHEMA', 'DROP TABLE', 'DROP FOREIGN TABLE', 'DROP VIEW', 'DROP MATERIALIZED VIEW',
    'DROP FUNCTION', 'DROP ROUTINE', 'DROP AGGREGATE', 'DROP TYPE', 'DROP DOMAIN', 'DROP EXTENSION', 'DROP OWNED',
    'DROP TRIGGER', 'DROP RULE', 'ALTER TABLE'
  )
  execute function galley.note_schema_change();
