import type { Sql } from '#libs/platform';
import { nameKey, type QualifiedName } from './schema-cache.js';
import type { ViewColumn } from './views.sql.js';

/** Columns of primary keys in the order of their names, by {@link nameKey} of the table or view. */
export type PrimaryKeys = ReadonlyMap<string, readonly string[]>;

/** Primary keys of the whole database, and of views those of all tables whose keys they show. */
export async function loadPrimaryKeys(tx: Sql, viewColumns: readonly ViewColumn[]): Promise<PrimaryKeys> {
  const { rows } = await tx.query<QualifiedName & { columns: string[] }>(text);
  const keys = new Map(rows.map(({ schema, name, columns }) => [nameKey(schema, name), columns]));
  for (const [view, shown] of groupByView(viewColumns)) {
    const columns = [...shown].flatMap(([table, byTableColumn]) => {
      const key = keys.get(table) ?? [];
      return key.every((column) => byTableColumn.has(column))
        ? key.map((column) => byTableColumn.get(column)!)
        : [];
    });
    if (columns.length > 0) keys.set(view, columns);
  }
  return keys;
}

/** What each view shows of each table: its own column by the table's. */
function groupByView(viewColumns: readonly ViewColumn[]): Map<string, Map<string, Map<string, string>>> {
  const views = new Map<string, Map<string, Map<string, string>>>();
  for (const { view, column, table, tableColumn } of viewColumns) {
    const tables = entry(
      views,
      nameKey(view.schema, view.name),
      () => new Map<string, Map<string, string>>(),
    );
    const shown = entry(tables, nameKey(table.schema, table.name), () => new Map<string, string>());
    if (!shown.has(tableColumn)) shown.set(tableColumn, column);
  }
  return views;
}

function entry<T>(map: Map<string, T>, key: string, create: () => T): T {
  const known = map.get(key);
  if (known) return known;
  const made = create();
  map.set(key, made);
  return made;
}

const text = `
  select n.nspname as schema, c.relname as name, json_agg(a.attname order by a.attname) as columns
  from pg_catalog.pg_constraint con
  join pg_catalog.pg_class c on c.oid = con.conrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_attribute a on a.attrelid = con.conrelid and a.attnum = any(con.conkey)
  where con.contype = 'p'
  group by n.nspname, c.relname`;
