import { pgrstError } from '../errors.js';
import {
  nameKey,
  type QualifiedName,
  type Relationship,
  type SchemaCache,
} from '../schema-cache/schema-cache.js';
import { closestName } from './closest-name.js';

/**
 * Finds the way from a table to what `select` embeds. `target` may be the other table, or the foreign key or
 * column that leads there; `hint` picks one of several ways (postgrest.org, "Resource Embedding").
 *
 * @throws AppError PGRST200 when there is none, PGRST201 when there are several.
 */
export function findRelationship(
  schema: SchemaCache,
  origin: QualifiedName,
  target: string,
  hint: string | undefined,
): Relationship {
  const all = schema.relationships.get(nameKey(origin.schema, origin.name)) ?? [];
  const found = all.filter((relationship) => matches(relationship, target, hint));
  if (found.length === 1) return found[0]!;
  if (found.length > 1) throw ambiguous(origin, target, found);
  throw notFound(schema, all, origin, target, hint);
}

function matches(relationship: Relationship, target: string, hint: string | undefined): boolean {
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
function matchesSelf(relationship: Relationship, target: string, hint: string | undefined): boolean {
  const { cardinality, to, constraint } = relationship;
  if (cardinality === 'many-to-one') return hint === undefined && isOnlyColumn(relationship, 0, target);
  if (cardinality !== 'one-to-many' || target !== to.name) return false;
  return hint === undefined || hint === constraint || isOnlyColumn(relationship, 1, hint);
}

function isOnlyColumn(relationship: Relationship, side: 0 | 1, name: string): boolean {
  return relationship.columns.length === 1 && relationship.columns[0]![side] === name;
}

function notFound(
  schema: SchemaCache,
  all: readonly Relationship[],
  origin: QualifiedName,
  target: string,
  hint: string | undefined,
) {
  const using = hint === undefined ? '' : ` using the hint '${hint}'`;
  return pgrstError('PGRST200', {
    message: `Could not find a relationship between '${origin.name}' and '${target}' in the schema cache`,
    details:
      `Searched for a foreign key relationship between '${origin.name}' and '${target}'${using} ` +
      `in the schema '${origin.schema}', but no matches were found.`,
    hint: suggestion(schema, all, origin, target),
  });
}

function suggestion(
  schema: SchemaCache,
  all: readonly Relationship[],
  origin: QualifiedName,
  target: string,
): string | undefined {
  const isKnown = schema.tables.has(nameKey(origin.schema, origin.name));
  const related = all.map((relationship) => relationship.to.name);
  if (!isKnown || related.includes(target)) return undefined;
  const closest = closestName(target, related);
  return closest && `Perhaps you meant '${closest}' instead of '${target}'.`;
}

function ambiguous(origin: QualifiedName, target: string, found: readonly Relationship[]) {
  const names = found.map((relationship) => `'${relationship.to.name}!${nameOf(relationship)}'`).join(', ');
  return pgrstError('PGRST201', {
    message: `Could not embed because more than one relationship was found for '${origin.name}' and '${target}'`,
    details: JSON.stringify(found.map(describe)),
    hint: `Try changing '${target}' to one of the following: ${names}. Find the desired relationship in the 'details' key.`,
  });
}

function nameOf(relationship: Relationship): string {
  return relationship.junction?.table.name ?? relationship.constraint;
}

function describe(relationship: Relationship) {
  const { from, to, cardinality, constraint, columns, junction } = relationship;
  const list = (side: 0 | 1, pairs = columns) => `(${pairs.map((pair) => pair[side]).join(', ')})`;
  const path = junction
    ? `${junction.table.name} using ${constraint}${list(1)} and ${junction.constraint}${list(0, junction.columns)}`
    : `${constraint} using ${from.name}${list(0)} and ${to.name}${list(1)}`;
  return { cardinality, embedding: `${from.name} with ${to.name}`, relationship: path };
}
