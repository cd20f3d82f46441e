import type { ForeignKey } from './keys.sql.js';
import { nameKey, type QualifiedName, type Relationship } from './schema-cache.js';
import type { ViewColumn } from './views.sql.js';

/**
 * All ways from one table or view of `schemas` to another: each foreign key in both directions, the same for
 * views that show its columns, and many-to-many through junction tables.
 */
export function relationshipsOf(
  keys: readonly ForeignKey[],
  viewColumns: readonly ViewColumn[],
  schemas: readonly string[],
): Map<string, Relationship[]> {
  const appearances = new Appearances(viewColumns);
  const shown = keys.flatMap((key) => appearances.ofKey(key)).filter((key) => isExposed(key, schemas));
  const relationships = [...shown.flatMap(bothDirections), ...throughJunctions(shown)];
  return groupBy(relationships, (relationship) => relationship.from);
}

function groupBy<T>(items: readonly T[], nameOf: (item: T) => QualifiedName): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const { schema, name } = nameOf(item);
    const group = groups.get(nameKey(schema, name));
    if (group) group.push(item);
    else groups.set(nameKey(schema, name), [item]);
  }
  return groups;
}

/** A foreign key as it looks from a pair of tables or views. */
interface ShownKey extends ForeignKey {
  readonly fromIsView: boolean;
  readonly toIsView: boolean;
}

/** One of the guises of a table: itself, or a view of it. */
interface Appearance {
  readonly name: QualifiedName;
  readonly isView: boolean;
  /** What the view calls a column of the table; undefined if it hides it. */
  column(tableColumn: string): string | undefined;
}

class Appearances {
  /** By table, then by view: view's column by table's column. */
  readonly #views = new Map<string, Map<string, { name: QualifiedName; columns: Map<string, string> }>>();

  constructor(viewColumns: readonly ViewColumn[]) {
    for (const { view, column, table, tableColumn } of viewColumns) {
      const tableKey = nameKey(table.schema, table.name);
      const views = this.#views.get(tableKey) ?? new Map();
      this.#views.set(tableKey, views);
      const viewKey = nameKey(view.schema, view.name);
      const entry = views.get(viewKey) ?? { name: view, columns: new Map() };
      views.set(viewKey, entry);
      if (!entry.columns.has(tableColumn)) entry.columns.set(tableColumn, column);
    }
  }

  ofKey(key: ForeignKey): ShownKey[] {
    return this.#of(key.from).flatMap((from) =>
      this.#of(key.to).flatMap((to) => {
        const columns = key.columns.map(([own, other]) => [from.column(own), to.column(other)]);
        if (columns.flat().includes(undefined)) return [];
        return {
          ...key,
          from: from.name,
          to: to.name,
          columns: columns as [string, string][],
          fromIsView: from.isView,
          toIsView: to.isView,
        };
      }),
    );
  }

  #of(table: QualifiedName): Appearance[] {
    const views = [...(this.#views.get(nameKey(table.schema, table.name))?.values() ?? [])];
    return [
      { name: table, isView: false, column: (name) => name },
      ...views.map((view) => ({
        name: view.name,
        isView: true,
        column: (name: string) => view.columns.get(name),
      })),
    ];
  }
}

function isExposed(key: ForeignKey, schemas: readonly string[]): boolean {
  return schemas.includes(key.from.schema) && schemas.includes(key.to.schema);
}

function bothDirections(key: ShownKey): Relationship[] {
  const { constraint, from, to, columns, isOneToOne } = key;
  return [
    {
      cardinality: isOneToOne ? 'one-to-one' : 'many-to-one',
      from,
      to,
      toIsView: key.toIsView,
      constraint,
      columns,
      junction: undefined,
    },
    {
      cardinality: isOneToOne ? 'one-to-one' : 'one-to-many',
      from: to,
      to: from,
      toIsView: key.fromIsView,
      constraint,
      columns: columns.map(([own, other]) => [other, own]),
      junction: undefined,
    },
  ];
}

/** A table whose primary key holds two foreign keys joins the tables they refer to. */
function throughJunctions(keys: readonly ShownKey[]): Relationship[] {
  const byJunction = groupBy(
    keys.filter((key) => key.isInPrimaryKey && !key.fromIsView),
    (key) => key.from,
  );
  return [...byJunction.values()].flatMap((ofJunction) =>
    ofJunction.flatMap((near) =>
      ofJunction.filter((far) => far.constraint !== near.constraint).map((far) => joined(near, far)),
    ),
  );
}

function joined(near: ShownKey, far: ShownKey): Relationship {
  return {
    cardinality: 'many-to-many',
    from: near.to,
    to: far.to,
    toIsView: far.toIsView,
    constraint: near.constraint,
    columns: near.columns.map(([own, other]) => [other, own]),
    junction: { table: near.from, constraint: far.constraint, columns: far.columns },
  };
}
