import type { ForeignKey } from '../schema-cache/foreign-keys.js';
import { nameKey } from '../schema-cache/schema-cache.js';
import type { ViewColumn } from '../schema-cache/views.sql.js';

type Target = { readonly table: string; readonly column: string };

/**
 * Where foreign keys of one column lead, by {@link nameKey} of the table or view and, after a NUL, the column. A table
 * that is not among `schemas` is stood for by a view that shows the column.
 */
export function keyTargets(
  keys: readonly ForeignKey[],
  viewColumns: readonly ViewColumn[],
  schemas: readonly string[],
): Map<string, Target> {
  const targets = new Map<string, Target>();
  const standIns = new Map(
    viewColumns.map(({ table, tableColumn, view, column }) => [
      columnKey(table.schema, table.name, tableColumn),
      { table: view.name, column },
    ]),
  );
  for (const { from, to, columns } of keys) {
    if (columns.length !== 1) continue;
    const [own, other] = columns[0]!;
    const target = schemas.includes(to.schema)
      ? { table: to.name, column: other }
      : standIns.get(columnKey(to.schema, to.name, other));
    if (target) targets.set(columnKey(from.schema, from.name, own), target);
  }
  for (const { view, column, table, tableColumn } of viewColumns) {
    const target = targets.get(columnKey(table.schema, table.name, tableColumn));
    if (target) targets.set(columnKey(view.schema, view.name, column), target);
  }
  return targets;
}

function columnKey(schema: string, table: string, column: string): string {
  return `${nameKey(schema, table)}\0${column}`;
}
