import { limits } from '../limits.js';
import type { ForeignKey } from './foreign-keys.js';
import { nameKey, type ColumnPair, type QualifiedName } from './schema-cache.js';
import type { ViewColumn } from './views.sql.js';

/** A foreign key as it looks from a pair of tables or views. */
export interface ShownKey extends ForeignKey {
  readonly fromIsView: boolean;
  readonly toIsView: boolean;
  /** Its columns are part of the primary key of `from`, as those of a junction table are. */
  readonly isInPrimaryKey: boolean;
}

/** One of the guises of a table: itself, or a view of it. */
interface Appearance {
  readonly name: QualifiedName;
  readonly isView: boolean;
  /** What the view calls a column of the table: nothing if it hides it, several names if it repeats it. */
  columns(tableColumn: string): readonly string[];
}

/** The guises in which each table is shown. */
export class Appearances {
  /** By table, then by view: view's columns by table's column. */
  readonly #views = new Map<string, Map<string, { name: QualifiedName; columns: Map<string, string[]> }>>();

  constructor(viewColumns: readonly ViewColumn[]) {
    for (const { view, column, table, tableColumn } of viewColumns) {
      const tableKey = nameKey(table.schema, table.name);
      const views = this.#views.get(tableKey) ?? new Map();
      this.#views.set(tableKey, views);
      const viewKey = nameKey(view.schema, view.name);
      const entry = views.get(viewKey) ?? { name: view, columns: new Map() };
      views.set(viewKey, entry);
      entry.columns.set(tableColumn, [...(entry.columns.get(tableColumn) ?? []), column]);
    }
  }

  /** `key` between all guises of its tables; a column that a view repeats makes a key of its own each time. */
  ofKey(key: ForeignKey): ShownKey[] {
    return this.#of(key.from).flatMap((from) =>
      this.#of(key.to).flatMap((to) => {
        const primaryKey = primaryKeyOf(key, from);
        return combinations(
          key.columns.map(([own, other]) => pairs(from.columns(own), to.columns(other))),
        ).map((columns) => ({
          ...key,
          from: from.name,
          to: to.name,
          columns,
          primaryKey,
          isInPrimaryKey: columns.every(([own]) => primaryKey.includes(own)),
          fromIsView: from.isView,
          toIsView: to.isView,
        }));
      }),
    );
  }

  #of(table: QualifiedName): Appearance[] {
    const views = [...(this.#views.get(nameKey(table.schema, table.name))?.values() ?? [])];
    return [
      { name: table, isView: false, columns: (name) => [name] },
      ...views.map((view) => ({
        name: view.name,
        isView: true,
        columns: (name: string) => view.columns.get(name) ?? [],
      })),
    ];
  }
}

/** A view has the primary key of a table that it shows whole; of repeated columns the first counts. */
function primaryKeyOf({ primaryKey }: ForeignKey, from: Appearance): string[] {
  const shown = primaryKey.flatMap((column) => from.columns(column).slice(0, 1));
  return shown.length === primaryKey.length ? shown : [];
}

function pairs(left: readonly string[], right: readonly string[]): ColumnPair[] {
  return left.flatMap((a) => right.map((b): ColumnPair => [a, b]));
}

/** The ways to choose one of each list; of very many only the first. */
function combinations<T>(lists: readonly (readonly T[])[]): T[][] {
  let chosen: T[][] = [[]];
  for (const list of lists) {
    chosen = chosen.flatMap((items) => list.map((item) => [...items, item])).slice(0, limits.repeatedKeys);
  }
  return chosen;
}
