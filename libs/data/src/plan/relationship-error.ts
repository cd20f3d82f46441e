import { pgrstError } from '../errors.js';
import {
  nameKey,
  type ColumnPair,
  type QualifiedName,
  type Relationship,
  type SchemaCache,
} from '../schema-cache/schema-cache.js';
import { closestName, leastSimilarity } from './closest-name.js';

export function relationshipNotFound(
  schema: SchemaCache,
  origin: QualifiedName,
  target: string,
  hint: string | undefined,
  known: readonly Relationship[],
) {
  const using = hint === undefined ? `'` : `' using the hint '${hint}'`;
  return pgrstError('PGRST200', {
    message: `Could not find a relationship between '${origin.name}' and '${target}' in the schema cache`,
    details:
      `Searched for a foreign key relationship between '${origin.name}' and '${target}${using} ` +
      `in the schema '${origin.schema}', but no matches were found.`,
    hint: suggestion(schema, origin, target, known),
  });
}

/** A name like the one of what is embedded; where no key leads anywhere, a table like the one it is embedded in. */
function suggestion(
  schema: SchemaCache,
  origin: QualifiedName,
  target: string,
  known: readonly Relationship[],
): string | undefined {
  if (schema.relationships.has(nameKey(origin.schema, origin.name))) {
    const related = known.map((relationship) => relationship.to.name);
    return related.includes(target) ? undefined : didYouMean(target, related);
  }
  const parents = [...schema.relationships.values()].flatMap((ways) => ways.slice(0, 1));
  const near = parents.map((way) => way.from).filter((parent) => parent.schema === origin.schema);
  return didYouMean(
    origin.name,
    near.map((parent) => parent.name),
  );
}

function didYouMean(name: string, candidates: readonly string[]): string | undefined {
  const closest = closestName(name, candidates, leastSimilarity.related);
  return closest && `Perhaps you meant '${closest}' instead of '${name}'.`;
}

export function ambiguousRelationship(origin: QualifiedName, target: string, found: readonly Relationship[]) {
  const sorted = found.toSorted((a, b) => compare(sortKey(a), sortKey(b)));
  const names = sorted.map((relationship) => `'${relationship.to.name}!${nameOf(relationship)}'`).join(', ');
  return pgrstError('PGRST201', {
    message: `Could not embed because more than one relationship was found for '${origin.name}' and '${target}'`,
    details: sorted.map(describe),
    hint: `Try changing '${target}' to one of the following: ${names}. Find the desired relationship in the 'details' key.`,
  });
}

function nameOf(relationship: Relationship): string {
  if (relationship.kind === 'computed') return relationship.function.name;
  return relationship.junction?.table.name ?? relationship.constraint;
}

function describe(relationship: Relationship) {
  const embedding = `${relationship.from.name} with ${relationship.to.name}`;
  if (relationship.kind === 'computed') return { embedding, relationship: relationship.function.name };
  const { from, to, cardinality, constraint, columns, junction } = relationship;
  const path = junction
    ? `${junction.table.name} using ${constraint}${list(columns, 1)} and ${junction.constraint}${list(junction.columns, 0)}`
    : `${constraint} using ${from.name}${list(columns, 0)} and ${to.name}${list(columns, 1)}`;
  return { cardinality, embedding, relationship: path };
}

function list(columns: readonly ColumnPair[], side: 0 | 1): string {
  return `(${columns.map((pair) => pair[side]).join(', ')})`;
}

const cardinalities = ['one-to-many', 'many-to-one', 'one-to-one', 'many-to-many'];

/** PostgREST lists them by where they lead, by their cardinality, and then by name. */
function sortKey(relationship: Relationship): readonly string[] {
  const { schema, name } = relationship.to;
  if (relationship.kind === 'computed') return [schema, name, '4', relationship.function.name];
  const { cardinality, constraint, columns, junction } = relationship;
  const rank = String(cardinalities.indexOf(cardinality));
  return junction
    ? [schema, name, rank, junction.table.schema, junction.table.name, constraint, junction.constraint]
    : [schema, name, rank, constraint, ...columns.flat()];
}

function compare(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i += 1) {
    const [left = '', right = ''] = [a[i], b[i]];
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}
