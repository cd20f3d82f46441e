import type { Sql } from '#libs/platform';
import type { ColumnPair, QualifiedName } from './schema-cache.js';

export interface ForeignKey {
  readonly constraint: string;
  readonly from: QualifiedName;
  readonly to: QualifiedName;
  /** Pairs of a column of `from` and the one of `to` it refers to. */
  readonly columns: readonly ColumnPair[];
  /** The columns are also a key of `from`: each row of `to` has one partner at most. */
  readonly isOneToOne: boolean;
  /** Columns of the primary key of `from`; empty when it has none. */
  readonly primaryKey: readonly string[];
}

/** Foreign keys of the whole database: views of an exposed schema may stand on tables of others. */
export async function loadForeignKeys(tx: Sql): Promise<ForeignKey[]> {
  const { rows } = await tx.query<{ key: ForeignKey }>(text);
  return rows.map((row) => row.key);
}

// Of a partitioned table only the parent's own constraint counts; each partition repeats it.
const text = `
  select json_build_object(
    'constraint', con.conname,
    'from', json_build_object('schema', n.nspname, 'name', c.relname),
    'to', json_build_object('schema', rn.nspname, 'name', rc.relname),
    'columns', (
      select json_agg(json_build_array(a.attname, ra.attname) order by pair.position)
      from unnest(con.conkey, con.confkey) with ordinality as pair (number, referenced, position)
      join pg_catalog.pg_attribute a on a.attrelid = con.conrelid and a.attnum = pair.number
      join pg_catalog.pg_attribute ra on ra.attrelid = con.confrelid and ra.attnum = pair.referenced),
    'isOneToOne', exists (
      select from pg_catalog.pg_constraint key
      where key.conrelid = con.conrelid and key.contype in ('p', 'u')
        and key.conkey <@ con.conkey and key.conkey @> con.conkey),
    'primaryKey', (
      select coalesce(json_agg(a.attname), '[]')
      from pg_catalog.pg_constraint key
      join pg_catalog.pg_attribute a on a.attrelid = key.conrelid and a.attnum = any(key.conkey)
      where key.conrelid = con.conrelid and key.contype = 'p')
  ) as key
  from pg_catalog.pg_constraint con
  join pg_catalog.pg_class c on c.oid = con.conrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_class rc on rc.oid = con.confrelid
  join pg_catalog.pg_namespace rn on rn.oid = rc.relnamespace
  where con.contype = 'f' and con.conparentid = 0
  order by con.conname`;
