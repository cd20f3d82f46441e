import { quoteIdent, quoteQualified } from '#libs/platform';
import { sourceName } from '../plan/aliases.js';
import type { EmbedPlan, PlannedColumn, PlannedCondition, PlannedOrder, RowsPlan } from '../plan/plan.js';
import type { RowRange } from '../request/range.js';
import type { ColumnPair } from '../schema-cache/schema-cache.js';
import { castSql, columnSql, fieldSql } from './field-sql.js';
import { filterSql } from './filter-sql.js';
import type { Parameters } from './sql-query.js';

const rowAlias = 'galley_row';

/** A query that gives the planned rows, each embedded table as a JSON column of them. */
export function rowsSql(rows: RowsPlan, parameters: Parameters): string {
  const columns = columnsSql(rows, parameters);
  const from = `from ${fromSql(rows)}${whereSql(rows, [], parameters)}`;
  return `select ${columns} ${from}${orderSql(rows, parameters)}${rangeSql(rows.range, parameters)}`;
}

/** The rows without their columns, order and range: what a count is over. */
export function matchingRowsSql(rows: RowsPlan, parameters: Parameters): string {
  return `select 1 from ${fromSql(rows)}${whereSql(rows, [], parameters)}`;
}

/** A condition on the rows called `alias`. */
export function conditionSql(alias: string, condition: PlannedCondition, parameters: Parameters): string {
  switch (condition.kind) {
    case 'logic': {
      const parts = condition.conditions.map((inner) => conditionSql(alias, inner, parameters));
      return `${condition.negated ? 'not ' : ''}(${parts.join(` ${condition.operator} `)})`;
    }
    case 'embedded':
      return `${condition.exists ? '' : 'not '}exists (select 1 ${embedFromSql(condition.embed, parameters)})`;
    case 'filter':
      return filterSql(alias, condition, parameters);
  }
}

function columnsSql(rows: RowsPlan, parameters: Parameters): string {
  return [
    ...rows.columns.map((column) => selectedSql(rows.alias, column, parameters)),
    ...rows.embeds.filter(hasOutput).map((embed) => embedSql(embed, parameters)),
  ].join(', ');
}

function selectedSql(alias: string, column: PlannedColumn, parameters: Parameters): string {
  if (column.kind === 'star') return `${quoteIdent(alias)}.*`;
  const field = fieldSql(alias, column.field, parameters);
  const value = column.cast ? castSql(field, column.cast) : field;
  return `${value} as ${quoteIdent(column.as)}`;
}

/** `table()` embeds nothing to show; it is there to be filtered by. */
function hasOutput({ rows }: EmbedPlan): boolean {
  return rows.columns.length > 0 || rows.embeds.some(hasOutput);
}

function embedSql(embed: EmbedPlan, parameters: Parameters): string {
  const { rows } = embed;
  const columns = columnsSql(rows, parameters);
  const from = embedFromSql(embed, parameters);
  const related = `select ${columns} ${from}${orderSql(rows, parameters)}${rangeSql(rows.range, parameters)}`;
  const json = embed.toOne ? `row_to_json(${rowAlias})` : `coalesce(json_agg(${rowAlias}), '[]')`;
  return `(select ${json} from (${related}) as ${rowAlias}) as ${quoteIdent(embed.as)}`;
}

function embedFromSql(embed: EmbedPlan, parameters: Parameters): string {
  const { relationship, parentAlias, junctionAlias, rows } = embed;
  const { junction, columns } = relationship;
  if (!junction) {
    return `from ${fromSql(rows)}${whereSql(rows, pairsSql(parentAlias, rows.alias, columns), parameters)}`;
  }
  const joins = [
    ...pairsSql(parentAlias, junctionAlias, columns),
    ...pairsSql(junctionAlias, rows.alias, junction.columns),
  ];
  const { schema, name } = junction.table;
  const through = `${quoteQualified(schema, name)} as ${quoteIdent(junctionAlias)}`;
  return `from ${fromSql(rows)}, ${through}${whereSql(rows, joins, parameters)}`;
}

function pairsSql(left: string, right: string, columns: readonly ColumnPair[]): string[] {
  return columns.map(([a, b]) => `${columnSql(left, a)} = ${columnSql(right, b)}`);
}

function fromSql({ from, alias }: RowsPlan): string {
  const source = from ? quoteQualified(from.schema, from.name) : quoteIdent(sourceName);
  return `${source} as ${quoteIdent(alias)}`;
}

function whereSql(rows: RowsPlan, joins: readonly string[], parameters: Parameters): string {
  const tests = [...joins, ...rows.where.map((condition) => conditionSql(rows.alias, condition, parameters))];
  return tests.length === 0 ? '' : ` where ${tests.join(' and ')}`;
}

function orderSql({ alias, order }: RowsPlan, parameters: Parameters): string {
  if (order.length === 0) return '';
  return ` order by ${order.map((term) => orderTermSql(alias, term, parameters)).join(', ')}`;
}

function orderTermSql(alias: string, term: PlannedOrder, parameters: Parameters): string {
  const { embed } = term;
  const value = embed
    ? `(select ${fieldSql(embed.rows.alias, term.field, parameters)} ${embedFromSql(embed, parameters)} limit 1)`
    : fieldSql(alias, term.field, parameters);
  return `${value}${term.direction ? ` ${term.direction}` : ''}${term.nulls ? ` nulls ${term.nulls}` : ''}`;
}

function rangeSql({ limit, offset }: RowRange, parameters: Parameters): string {
  const limited = limit === undefined ? '' : ` limit ${parameters.add(limit)}`;
  return offset === 0 ? limited : `${limited} offset ${parameters.add(offset)}`;
}
