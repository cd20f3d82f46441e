import { Appearances, type ShownKey } from './appearances.js';
import type { ForeignKey } from './foreign-keys.js';
import {
  nameKey,
  type ComputedRelationship,
  type KeyRelationship,
  type QualifiedName,
  type Relationship,
} from './schema-cache.js';
import type { ViewColumn } from './views.sql.js';

/**
 * All ways from one table or view of `schemas` to another: each foreign key in both directions, the same for
 * views that show its columns, many-to-many through junction tables, and functions, which stand above the keys
 * that lead to a table of their name. Tables that lead to hidden ones alone have no way, the others no entry.
 */
export function relationshipsOf(
  {
    keys,
    viewColumns,
    computed,
  }: {
    keys: readonly ForeignKey[];
    viewColumns: readonly ViewColumn[];
    computed: readonly ComputedRelationship[];
  },
  schemas: readonly string[],
): Map<string, Relationship[]> {
  const appearances = new Appearances(viewColumns);
  const all = keys.flatMap((key) => appearances.ofKey(key));
  const shown = all.filter((key) => isExposed(key, schemas));
  const overridden = new Set(
    computed.map((relationship) => wayKey(relationship.from, relationship.function)),
  );
  const found = [...shown.flatMap(bothDirections), ...throughJunctions(shown)];
  const kept = found.filter((relationship) => !overridden.has(wayKey(relationship.from, relationship.to)));
  const ways = groupBy<Relationship>([...kept, ...computed], (relationship) => relationship.from);
  for (const { from, to } of all) {
    for (const { schema, name } of [from, to]) {
      const key = nameKey(schema, name);
      if (schemas.includes(schema) && !ways.has(key)) ways.set(key, []);
    }
  }
  return ways;
}

function wayKey(from: QualifiedName, to: QualifiedName): string {
  return `${nameKey(from.schema, from.name)}\0${nameKey(to.schema, to.name)}`;
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

function isExposed(key: ForeignKey, schemas: readonly string[]): boolean {
  return schemas.includes(key.from.schema) && schemas.includes(key.to.schema);
}

function bothDirections(key: ShownKey): KeyRelationship[] {
  const { constraint, from, to, columns, isOneToOne } = key;
  return [
    {
      kind: 'key',
      cardinality: isOneToOne ? 'one-to-one' : 'many-to-one',
      from,
      to,
      toIsView: key.toIsView,
      constraint,
      columns,
      junction: undefined,
    },
    {
      kind: 'key',
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

/** A table or view whose primary key holds two foreign keys joins the tables they refer to. */
function throughJunctions(keys: readonly ShownKey[]): KeyRelationship[] {
  const byJunction = groupBy(
    keys.filter((key) => key.isInPrimaryKey && !key.isOneToOne),
    (key) => key.from,
  );
  return [...byJunction.values()].flatMap((ofJunction) =>
    ofJunction.flatMap((near) =>
      ofJunction.filter((far) => far.constraint !== near.constraint).map((far) => joined(near, far)),
    ),
  );
}

function joined(near: ShownKey, far: ShownKey): KeyRelationship {
  return {
    kind: 'key',
    cardinality: 'many-to-many',
    from: near.to,
    to: far.to,
    toIsView: far.toIsView,
    constraint: near.constraint,
    columns: near.columns.map(([own, other]) => [other, own]),
    junction: { table: near.from, constraint: far.constraint, columns: far.columns },
  };
}
