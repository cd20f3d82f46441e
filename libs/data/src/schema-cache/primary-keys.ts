import type { KeyConstraint } from './key-constraints.sql.js';
import { nameKey } from './schema-cache.js';
import type { ViewColumn } from './views.sql.js';

/** Columns of primary keys in the order of their names, by {@link nameKey} of the table or view. */
export type PrimaryKeys = ReadonlyMap<string, readonly string[]>;

/** Those of tables, and of views those of all tables whose keys they show. */
export function primaryKeysOf(
  constraints: readonly KeyConstraint[],
  viewColumns: readonly ViewColumn[],
): PrimaryKeys {
  const keys = new Map<string, readonly string[]>();
  for (const { kind, table, columns } of constraints) {
    if (kind === 'primary') keys.set(nameKey(table.schema, table.name), columns.toSorted());
  }
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
