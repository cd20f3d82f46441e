import type { Sql } from '#libs/platform';
import type { QualifiedName } from './schema-cache.js';

/** A primary, unique or foreign key, with its columns in their own order. */
export interface KeyConstraint {
  readonly kind: 'primary' | 'unique' | 'foreign';
  readonly name: string;
  readonly table: QualifiedName;
  readonly columns: readonly string[];
  /** What a foreign key's columns refer to, one for one. */
  readonly references?: { readonly table: QualifiedName; readonly columns: readonly string[] };
}

interface ConstraintRow {
  kind: KeyConstraint['kind'];
  name: string;
  table: number;
  columns: number[];
  referenced_table: number;
  referenced_columns: number[] | null;
}

interface ColumnRow {
  table: number;
  schema: string;
  table_name: string;
  number: number;
  name: string;
}

/**
 * Keys of the whole database, by their names: views of an exposed schema may stand on tables of others. Numbers and names
 * are read apart and put together here: PostgreSQL would look the names of each key up by itself.
 */
export async function loadKeyConstraints(tx: Sql): Promise<KeyConstraint[]> {
  const { rows } = await tx.query<ConstraintRow>(constraintsText);
  const named = await loadNames(tx);
  return rows.map((row) => {
    const { kind, name } = row;
    const own = named(row.table, row.columns);
    if (row.referenced_columns === null) return { kind, name, ...own };
    return { kind, name, ...own, references: named(row.referenced_table, row.referenced_columns) };
  });
}

async function loadNames(tx: Sql) {
  const { rows } = await tx.query<ColumnRow>(columnsText);
  const tables = new Map<number, { table: QualifiedName; columns: Map<number, string> }>();
  for (const { table, schema, table_name: tableName, number, name } of rows) {
    const known = tables.get(table);
    if (known) known.columns.set(number, name);
    else tables.set(table, { table: { schema, name: tableName }, columns: new Map([[number, name]]) });
  }
  return (oid: number, numbers: readonly number[]) => {
    const { table, columns } = tables.get(oid)!;
    return { table, columns: numbers.map((number) => columns.get(number)!) };
  };
}

// Of a partitioned table only the parent's own foreign key counts; each partition repeats it.
const constraintsText = `
  select case contype when 'p' then 'primary' when 'u' then 'unique' else 'foreign' end as kind, conname as name,
    conrelid::int8::float8 as table, conkey as columns,
    confrelid::int8::float8 as referenced_table, confkey as referenced_columns
  from pg_catalog.pg_constraint
  where contype in ('p', 'u') or contype = 'f' and conparentid = 0
  order by conname`;

const columnsText = `
  select key.relation::int8::float8 as table, n.nspname as schema, c.relname as table_name, a.attnum as number,
    a.attname as name
  from (
    select conrelid as relation, unnest(conkey) as number from pg_catalog.pg_constraint where contype in ('p', 'u', 'f')
    union
    select confrelid, unnest(confkey) from pg_catalog.pg_constraint where contype = 'f'
  ) as key
  join pg_catalog.pg_attribute a on a.attrelid = key.relation and a.attnum = key.number
  join pg_catalog.pg_class c on c.oid = key.relation
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace`;
