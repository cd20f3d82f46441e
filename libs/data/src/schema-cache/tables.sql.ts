import type { Sql } from '#libs/platform';
import { nameKey, type Column, type Table } from './schema-cache.js';

interface Row {
  schema: string;
  name: string;
  kind: string;
  columns: Column[];
  primary_key: string[];
}

/** Tables and views of `schemas` with their columns and primary keys. Wants an empty `search_path`. */
export async function loadTables(tx: Sql, schemas: readonly string[]): Promise<Map<string, Table>> {
  const { rows } = await tx.query<Row>(text, [schemas]);
  return new Map(
    rows.map((row) => [
      nameKey(row.schema, row.name),
      {
        schema: row.schema,
        name: row.name,
        isView: row.kind === 'v' || row.kind === 'm',
        columns: new Map(row.columns.map((column) => [column.name, column])),
        primaryKey: row.primary_key,
      },
    ]),
  );
}

// Partitions are reached through the table that they are of.
// Identity columns have no default expression; their sequence stands in for it.
const text = `
  select n.nspname as schema, c.relname as name, c.relkind as kind,
    (select coalesce(json_agg(json_build_object(
        'name', a.attname,
        'type', format_type(a.atttypid, a.atttypmod),
        'baseType', coalesce(base.typname, t.typname),
        'defaultValue', case
          when a.attidentity <> '' then format(
            'nextval(%L::regclass)',
            pg_get_serial_sequence(format('%I.%I', n.nspname, c.relname), a.attname))
          when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid)
        end) order by a.attnum), '[]')
      from pg_catalog.pg_attribute a
      join pg_catalog.pg_type t on t.oid = a.atttypid
      left join pg_catalog.pg_type base on base.oid = t.typbasetype
      left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
    (select coalesce(json_agg(a.attname order by key.position), '[]')
      from pg_catalog.pg_constraint con
      cross join unnest(con.conkey) with ordinality as key (number, position)
      join pg_catalog.pg_attribute a on a.attrelid = con.conrelid and a.attnum = key.number
      where con.conrelid = c.oid and con.contype = 'p') as primary_key
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition and n.nspname = any($1)`;
