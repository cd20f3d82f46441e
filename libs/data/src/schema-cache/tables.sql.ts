import type { Sql } from '#libs/platform';
import type { PrimaryKeys } from './primary-keys.js';
import { nameKey, type Column, type Table } from './schema-cache.js';

interface TableRow {
  oid: number;
  schema: string;
  name: string;
  is_view: boolean;
}

interface ColumnRow {
  table: number;
  name: string;
  type: string;
  base_type: string;
  default_value: string | null;
}

/** Tables and views of `schemas` with their columns. Wants an empty `search_path`. */
export async function loadTables(
  tx: Sql,
  schemas: readonly string[],
  primaryKeys: PrimaryKeys,
): Promise<Map<string, Table>> {
  const { rows } = await tx.query<TableRow>(tablesText, [schemas]);
  const columns = await loadColumns(tx, schemas);
  return new Map(
    rows.map(({ oid, schema, name, is_view: isView }) => {
      const key = nameKey(schema, name);
      const primaryKey = primaryKeys.get(key) ?? [];
      return [key, { schema, name, isView, columns: columns.get(oid) ?? new Map(), primaryKey }];
    }),
  );
}

/** By the OID of the table. */
async function loadColumns(tx: Sql, schemas: readonly string[]): Promise<Map<number, Map<string, Column>>> {
  const { rows } = await tx.query<ColumnRow>(columnsText, [schemas]);
  const tables = new Map<number, Map<string, Column>>();
  for (const { table, name, type, base_type: baseType, default_value: defaultValue } of rows) {
    const column = { name, type, baseType, defaultValue };
    const columns = tables.get(table);
    if (columns) columns.set(name, column);
    else tables.set(table, new Map([[name, column]]));
  }
  return tables;
}

// Partitions are reached through the table that they are of.
const tablesText = `
  select c.oid::int8::float8 as oid, n.nspname as schema, c.relname as name, c.relkind in ('v', 'm') as is_view
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition and n.nspname = any($1)`;

// One row for each column: to put them together here takes half the time that JSON of PostgreSQL's would take. Identity
// columns have no default expression; their sequence stands in for it, unless they take no other value. No default names
// a column, so its text is made without looking at the table.
const columnsText = `
  select a.attrelid::int8::float8 as table, a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
    base.typname as base_type,
    case
      when a.attidentity = 'd' then format('nextval(%L::regclass)', sequence.objid::regclass::text)
      when a.attgenerated = '' then pg_get_expr(coalesce(def.adbin, base.typdefaultbin), 0)
    end as default_value
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_class c on c.oid = a.attrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_type base on base.oid = a.atttypid
  left join pg_catalog.pg_attrdef def on def.adrelid = a.attrelid and def.adnum = a.attnum
  left join pg_catalog.pg_depend sequence on sequence.deptype = 'i'
    and sequence.classid = 'pg_catalog.pg_class'::regclass
    and sequence.refclassid = 'pg_catalog.pg_class'::regclass
    and sequence.refobjid = a.attrelid and sequence.refobjsubid = a.attnum
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition and n.nspname = any($1)
    and a.attnum > 0 and not a.attisdropped
  order by a.attrelid, a.attnum`;
