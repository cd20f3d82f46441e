import type { Sql } from '#libs/platform';
import { domainTypes } from '../schema-cache/domain-types.sql.js';
import { foreignKeysOf } from '../schema-cache/foreign-keys.js';
import { loadKeyConstraints } from '../schema-cache/key-constraints.sql.js';
import { nameKey, type SchemaCache } from '../schema-cache/schema-cache.js';
import { loadViewColumns } from '../schema-cache/views.sql.js';
import { keyTargets } from './key-targets.js';
import type { DescribedColumn, DescribedTable, SchemaDescription } from './schema-description.js';

interface Row {
  name: string;
  comment: string | null;
  is_writable: boolean;
  columns: Omit<DescribedColumn, 'refersTo'>[];
}

/** Describes the tables and views of `schema`. Wants an empty `search_path`. */
export async function describeTables(
  tx: Sql,
  schema: string,
  { schemas, tables }: SchemaCache,
): Promise<SchemaDescription> {
  const comments = await tx.query<{ comment: string | null }>(commentText, [schema]);
  const { rows } = await tx.query<Row>(tablesText, [schema]);
  const targets = keyTargets(
    foreignKeysOf(await loadKeyConstraints(tx)),
    await loadViewColumns(tx, schemas),
    schemas,
  );
  const described = rows.map(({ name, comment, is_writable: isWritable, columns }): DescribedTable => ({
    name,
    comment,
    isWritable,
    primaryKey: tables.get(nameKey(schema, name))?.primaryKey ?? [],
    columns: columns.map((column) => ({
      ...column,
      refersTo: targets.get(`${nameKey(schema, name)}\0${column.name}`),
    })),
  }));
  return { comment: comments.rows[0]?.comment ?? null, tables: described };
}

const commentText = `
  select obj_description(oid, 'pg_namespace') as comment from pg_catalog.pg_namespace where nspname = $1`;

// The bits of pg_relation_is_updatable: 4 for UPDATE, 8 for INSERT, 16 for DELETE.
const tablesText = `
  with recursive ${domainTypes}
  select c.relname as name, obj_description(c.oid, 'pg_class') as comment,
    c.relkind in ('r', 'p')
      or c.relkind in ('v', 'f') and pg_relation_is_updatable(c.oid, true) & 28 <> 0 as is_writable,
    (select coalesce(json_agg(json_build_object(
        'name', a.attname,
        'comment', col_description(c.oid, a.attnum),
        'isNullable', not (a.attnotnull or t.typtype = 'd' and t.typnotnull),
        'type', case
          when base.typnamespace = 'pg_catalog'::regnamespace then format_type(base.oid, null)
          when t.typnamespace = 'pg_catalog'::regnamespace then format_type(t.oid, null)
          else format_type(t.oid, a.atttypmod)
        end,
        'maxLength', information_schema._pg_char_max_length(
          information_schema._pg_truetypid(a, t), information_schema._pg_truetypmod(a, t)),
        'defaultValue', case
          when a.attidentity = 'd' then format('nextval(%L)', pg_get_serial_sequence(c.oid::regclass::text, a.attname))
          when a.attgenerated = 's' then null
          when d.adbin is null then pg_get_expr(t.typdefaultbin, 0)
          else pg_get_expr(d.adbin, d.adrelid)
        end,
        'enumValues', (
          select coalesce(json_agg(enumlabel order by enumsortorder), '[]')
          from pg_catalog.pg_enum where enumtypid = coalesce(base.oid, t.oid))
      ) order by a.attnum), '[]')
      from pg_catalog.pg_attribute a
      join pg_catalog.pg_type t on t.oid = a.atttypid
      left join domain_types on domain_types.domain = t.oid
      left join pg_catalog.pg_type base on base.oid = domain_types.type
      left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname = $1 and not c.relispartition
  order by c.relname`;
