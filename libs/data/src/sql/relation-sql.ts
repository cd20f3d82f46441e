import { quoteIdent, quoteQualified } from '#libs/platform';
import { sourceName } from '../plan/aliases.js';
import type { EmbedPlan, RowsPlan } from '../plan/plan.js';
import type { ColumnPair, ComputedRelationship } from '../schema-cache/schema-cache.js';
import { columnSql, rowSql } from './field-sql.js';

/** Where rows come from, and what ties them to the rows they are embedded in. */
export interface Relation {
  readonly from: string;
  readonly ties: readonly string[];
}

export function rootRelation(rows: RowsPlan): Relation {
  return { from: fromSql(rows), ties: [] };
}

export function embedRelation(embed: EmbedPlan): Relation {
  const { relationship, parentAlias, junctionAlias, rows } = embed;
  if (relationship.kind === 'computed') {
    return { from: `${callSql(relationship, embed)} as ${quoteIdent(rows.alias)}`, ties: [] };
  }
  const { junction, columns } = relationship;
  if (!junction) return { from: fromSql(rows), ties: pairsSql(parentAlias, rows.alias, columns) };
  const { schema, name } = junction.table;
  return {
    from: `${fromSql(rows)}, ${quoteQualified(schema, name)} as ${quoteIdent(junctionAlias)}`,
    ties: [
      ...pairsSql(parentAlias, junctionAlias, columns),
      ...pairsSql(junctionAlias, rows.alias, junction.columns),
    ],
  };
}

/** Rows of a change or function have no type of their own; the cast also picks among overloaded functions. */
function callSql(
  { function: called, from }: ComputedRelationship,
  { parentAlias, parentColumns }: EmbedPlan,
): string {
  const columns = parentColumns?.map((column) => columnSql(parentAlias, column)).join(', ');
  const row = columns === undefined ? rowSql(parentAlias) : `row(${columns})`;
  const type = quoteQualified(from.schema, from.name);
  return `${quoteQualified(called.schema, called.name)}(${row}::${type})`;
}

function pairsSql(left: string, right: string, columns: readonly ColumnPair[]): string[] {
  return columns.map(([a, b]) => `${columnSql(left, a)} = ${columnSql(right, b)}`);
}

function fromSql({ from, alias }: RowsPlan): string {
  const source = from ? quoteQualified(from.schema, from.name) : quoteIdent(sourceName);
  return `${source} as ${quoteIdent(alias)}`;
}
