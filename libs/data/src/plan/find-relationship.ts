import {
  nameKey,
  type KeyRelationship,
  type QualifiedName,
  type Relationship,
  type SchemaCache,
} from '../schema-cache/schema-cache.js';
import { ambiguousRelationship, relationshipNotFound } from './relationship-error.js';

/**
 * Finds the way from a table to what `select` embeds. `target` may be the other table, the function that computes
 * its rows, or the foreign key or column that leads there; `hint` picks one of several ways (postgrest.org,
 * "Resource Embedding").
 *
 * @throws AppError PGRST200 when there is none, PGRST201 when there are several.
 */
export function findRelationship(
  schema: SchemaCache,
  origin: QualifiedName,
  target: string,
  hint: string | undefined,
): Relationship {
  const all = relationshipsFrom(schema, origin);
  const found = all.filter((relationship) => matches(relationship, target, hint));
  if (found.length === 1) return found[0]!;
  if (found.length > 1) throw ambiguousRelationship(origin, target, found);
  throw relationshipNotFound(schema, origin, target, hint, all);
}

/** A request stays within its schema. */
function relationshipsFrom(
  schema: SchemaCache,
  { schema: name, name: table }: QualifiedName,
): Relationship[] {
  const all = schema.relationships.get(nameKey(name, table)) ?? [];
  return all.filter((relationship) => leadsTo(relationship).schema === name);
}

function leadsTo(relationship: Relationship): QualifiedName {
  return relationship.kind === 'computed' ? relationship.function : relationship.to;
}

function matches(relationship: Relationship, target: string, hint: string | undefined): boolean {
  if (relationship.kind === 'computed') return target === relationship.function.name;
  const { from, to } = relationship;
  const isSelf = from.schema === to.schema && from.name === to.name;
  if (isSelf) return matchesSelf(relationship, target, hint);
  if (hint === undefined) {
    if (target === to.name) return true;
    if (relationship.junction || relationship.toIsView) return false;
    return target === relationship.constraint || isOnlyColumn(relationship, 0, target);
  }
  if (target !== to.name) return false;
  if (relationship.junction) return hint === relationship.junction.table.name;
  return (
    hint === relationship.constraint ||
    isOnlyColumn(relationship, 0, hint) ||
    isOnlyColumn(relationship, 1, hint)
  );
}

/**
 * A table's foreign key to itself leads both ways: the table's name means the children, the column's name the
 * parent.
 */
function matchesSelf(relationship: KeyRelationship, target: string, hint: string | undefined): boolean {
  const { cardinality, to, constraint } = relationship;
  if (cardinality === 'many-to-one') return hint === undefined && isOnlyColumn(relationship, 0, target);
  if (cardinality !== 'one-to-many' || target !== to.name) return false;
  return hint === undefined || hint === constraint || isOnlyColumn(relationship, 1, hint);
}

function isOnlyColumn(relationship: KeyRelationship, side: 0 | 1, name: string): boolean {
  return relationship.columns.length === 1 && relationship.columns[0]![side] === name;
}
