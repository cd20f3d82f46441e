import type { KeyConstraint } from './key-constraints.sql.js';
import { nameKey, type ColumnPair, type QualifiedName } from './schema-cache.js';

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

export function foreignKeysOf(constraints: readonly KeyConstraint[]): ForeignKey[] {
  const ownKeys = byTable(constraints.filter(({ kind }) => kind !== 'foreign'));
  return constraints.flatMap(({ name, table, columns, references }) => {
    if (!references) return [];
    const keys = ownKeys.get(nameKey(table.schema, table.name)) ?? [];
    return {
      constraint: name,
      from: table,
      to: references.table,
      columns: columns.map((column, i) => [column, references.columns[i]!] as const),
      isOneToOne: keys.some((key) => isSameSet(key.columns, columns)),
      primaryKey: keys.find(({ kind }) => kind === 'primary')?.columns ?? [],
    };
  });
}

function byTable(constraints: readonly KeyConstraint[]): Map<string, KeyConstraint[]> {
  const tables = new Map<string, KeyConstraint[]>();
  for (const constraint of constraints) {
    const table = nameKey(constraint.table.schema, constraint.table.name);
    const known = tables.get(table);
    if (known) known.push(constraint);
    else tables.set(table, [constraint]);
  }
  return tables;
}

function isSameSet(a: readonly string[], b: readonly string[]): boolean {
  return new Set(a).size === new Set(b).size && a.every((column) => b.includes(column));
}
