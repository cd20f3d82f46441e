import { isDeepStrictEqual } from 'node:util';
import { quoteIdent } from '#libs/platform';
import { rowName, spreadColumn } from '../plan/aliases.js';
import { columnsRead } from '../plan/columns-read.js';
import type {
  EmbedPlan,
  Output,
  PlannedColumn,
  PlannedCondition,
  PlannedOrder,
  RowsPlan,
} from '../plan/plan.js';
import { columnSql, fieldSql, rowSql } from './field-sql.js';
import { filterSql } from './filter-sql.js';
import { rangeSql, relatedRangeSql } from './range-sql.js';
import { embedRelation, rootRelation, type Relation } from './relation-sql.js';
import type { Parameters } from './sql-query.js';
import { aggregateSql, valueSql } from './value-sql.js';

/** A query that gives the planned rows, each embedded table as a JSON column of them. */
export function rowsSql(rows: RowsPlan, parameters: Parameters): string {
  const shape = { isSpread: false, isGrouped: rows.isGrouped };
  if (isPageFirst(rows)) {
    return selectSql({ ...rows, where: [], order: [] }, pageRelation(rows, parameters), shape, parameters);
  }
  const query = selectSql(rows, rootRelation(rows), shape, parameters);
  return `${query}${rangeSql(rows.range, parameters)}`;
}

/**
 * Whether the page can be cut out before anything is embedded in its rows. PostgreSQL would embed in the rows that an offset
 * skips, too. What is joined may change their order, and a function asks for whole rows of the table.
 */
function isPageFirst({ from, isGrouped, range, columns, embeds }: RowsPlan): boolean {
  const isStar = columns.some((column) => column.kind === 'star');
  return (
    from !== undefined &&
    !isGrouped &&
    range.offset > 0 &&
    embeds.length > 0 &&
    embeds.every((embed) => !embed.spread && embed.relationship.kind === 'key') &&
    // Beside all columns there can be computed ones, which only rows of the table have.
    (!isStar || columns.length === 1)
  );
}

function pageRelation(rows: RowsPlan, parameters: Parameters): Relation {
  const { names, allColumns } = columnsRead(rows);
  const alias = quoteIdent(rows.alias);
  const columns = allColumns
    ? `${alias}.*`
    : Array.from(names, (name) => columnSql(rows.alias, name)).join(', ');
  const matching = matchingSql(rows, rootRelation(rows), parameters);
  const page = `select ${columns} from ${matching}${orderSql(rows, parameters)}${rangeSql(rows.range, parameters)}`;
  return { from: `(${page}) as ${alias}`, ties: [] };
}

/** The rows without their order and range, and without columns unless those make the groups: what a count is over. */
export function matchingRowsSql(rows: RowsPlan, parameters: Parameters): string {
  if (rows.isGrouped) {
    const shape = { isSpread: false, isGrouped: true };
    return selectSql({ ...rows, order: [] }, rootRelation(rows), shape, parameters);
  }
  return `select 1 from ${matchingSql(rows, rootRelation(rows), parameters)}`;
}

/** A condition on the rows called `alias`. */
export function conditionSql(alias: string, condition: PlannedCondition, parameters: Parameters): string {
  switch (condition.kind) {
    case 'logic': {
      const parts = condition.conditions.map((inner) => conditionSql(alias, inner, parameters));
      return `${condition.negated ? 'not ' : ''}(${parts.join(` ${condition.operator} `)})`;
    }
    case 'embedded':
      return `${condition.exists ? '' : 'not '}exists (${partnersSql(condition.embed, parameters)})`;
    case 'filter':
      return filterSql(alias, condition, parameters);
  }
}

/** Rows that the embedded table shows; a limit matters for whether there are any only if it is 0. */
function partnersSql(embed: EmbedPlan, parameters: Parameters): string {
  const { rows } = embed;
  const matching = matchingSql(rows, embedRelation(embed), parameters);
  const isCut = rows.range.offset > 0 || rows.range.limit === 0;
  return `select 1 from ${matching}${isCut ? rangeSql(rows.range, parameters) : ''}`;
}

function matchingSql(rows: RowsPlan, { from, ties }: Relation, parameters: Parameters): string {
  return `${from}${whereSql(rows, ties, parameters)}`;
}

/** How the columns of a query are written. */
interface Shape {
  /** They are to be spread: named by their position, and aggregated only where they arrive. */
  readonly isSpread: boolean;
  /** They, or the rows they are spread into, are grouped, so that all of them must be comparable. */
  readonly isGrouped: boolean;
}

/** One column of a query; `*` has no name. */
interface Item {
  readonly value: string;
  readonly as: string | undefined;
  readonly isAggregate: boolean;
}

function selectSql(rows: RowsPlan, relation: Relation, shape: Shape, parameters: Parameters): string {
  const { items, joins } = itemsSql(rows, shape, parameters);
  const list = items.map(({ value, as }, i) => {
    const name = shape.isSpread ? spreadColumn(i) : as;
    return name === undefined ? value : `${value} as ${quoteIdent(name)}`;
  });
  const from = `${relation.from}${joins}${whereSql(rows, relation.ties, parameters)}`;
  return `select ${list.join(', ')} from ${from}${groupSql(items, shape)}${orderSql(rows, parameters)}`;
}

function itemsSql(rows: RowsPlan, shape: Shape, parameters: Parameters): { items: Item[]; joins: string } {
  const items = rows.columns.map((column) => columnItem(rows.alias, column, shape, parameters));
  let joins = '';
  for (const embed of rows.embeds) {
    if (embed.outputs.length === 0) continue;
    if (!embed.spread && !shape.isGrouped) {
      items.push({ value: embedSql(embed, parameters), as: embed.as, isAggregate: false });
      continue;
    }
    joins += embed.spread ? spreadSql(embed, shape, parameters) : groupedEmbedSql(embed, parameters);
    const alias = embed.joinAlias;
    items.push(
      ...embed.outputs.map((output, i) => outputItem(columnSql(alias, spreadColumn(i)), output, shape)),
    );
  }
  return { items, joins };
}

function columnItem(alias: string, column: PlannedColumn, shape: Shape, parameters: Parameters): Item {
  if (column.kind === 'star') return { value: `${quoteIdent(alias)}.*`, as: undefined, isAggregate: false };
  return outputItem(valueSql(alias, column, parameters), column, shape);
}

function outputItem(value: string, { as, aggregate }: Output, { isSpread }: Shape): Item {
  if (isSpread || !aggregate) return { value, as, isAggregate: false };
  return { value: aggregateSql(value, aggregate), as, isAggregate: true };
}

/** The embedded rows as one JSON value. */
function embedSql(embed: EmbedPlan, parameters: Parameters): string {
  const shape = { isSpread: false, isGrouped: embed.rows.isGrouped };
  const row = rowSql(rowName);
  const json = embed.toOne ? `row_to_json(${row})` : `coalesce(json_agg(${row}), '[]')`;
  return `(select ${json} from (${relatedSql(embed, shape, parameters)}) as ${rowName})`;
}

/** The same joined, as rows cannot be grouped by a subquery; JSON is comparable only as jsonb. */
function groupedEmbedSql(embed: EmbedPlan, parameters: Parameters): string {
  const value = `${embedSql(embed, parameters)}::jsonb as ${quoteIdent(spreadColumn(0))}`;
  return ` cross join lateral (select ${value}) as ${quoteIdent(embed.joinAlias)}`;
}

/** Joins the columns that are spread; those of many rows become arrays in the rows' order. */
function spreadSql(embed: EmbedPlan, { isGrouped }: Shape, parameters: Parameters): string {
  const { toOne, outputs } = embed;
  const alias = quoteIdent(embed.joinAlias);
  const related = relatedSql(embed, { isSpread: true, isGrouped: toOne && isGrouped }, parameters);
  if (toOne) return ` left join lateral (${related}) as ${alias} on true`;
  const lists = outputs.map((_, i) => {
    const list = `coalesce(json_agg(${columnSql(rowName, spreadColumn(i))}), '[]')${isGrouped ? '::jsonb' : ''}`;
    return `${list} as ${quoteIdent(spreadColumn(i))}`;
  });
  return ` cross join lateral (select ${lists.join(', ')} from (${related}) as ${rowName}) as ${alias}`;
}

function relatedSql(embed: EmbedPlan, shape: Shape, parameters: Parameters): string {
  const query = selectSql(embed.rows, embedRelation(embed), shape, parameters);
  return `${query}${relatedRangeSql(embed, parameters)}`;
}

function whereSql(rows: RowsPlan, ties: readonly string[], parameters: Parameters): string {
  const tests = [...ties, ...rows.where.map((condition) => conditionSql(rows.alias, condition, parameters))];
  return tests.length === 0 ? '' : ` where ${tests.join(' and ')}`;
}

/** By position: an expression with parameters is not the same as itself. */
function groupSql(items: readonly Item[], { isSpread, isGrouped }: Shape): string {
  if (isSpread || !isGrouped) return '';
  const keys = items.flatMap((item, i) => (item.isAggregate || item.as === undefined ? [] : [i + 1]));
  return keys.length === 0 ? '' : ` group by ${keys.join(', ')}`;
}

function orderSql(rows: RowsPlan, parameters: Parameters): string {
  if (rows.order.length === 0) return '';
  return ` order by ${rows.order.map((term) => orderTermSql(rows, term, parameters)).join(', ')}`;
}

function orderTermSql(rows: RowsPlan, term: PlannedOrder, parameters: Parameters): string {
  const value = groupPosition(rows, term) ?? orderValueSql(rows.alias, term, parameters);
  return `${value}${term.direction ? ` ${term.direction}` : ''}${term.nulls ? ` nulls ${term.nulls}` : ''}`;
}

/** Position of the column that groups are ordered by; for the same reason as in `groupSql`. */
function groupPosition({ isGrouped, columns }: RowsPlan, { embed, field }: PlannedOrder): string | undefined {
  if (!isGrouped || embed) return undefined;
  const position = columns.findIndex(
    (column) =>
      column.kind === 'value' && !column.aggregate && !column.cast && isDeepStrictEqual(column.field, field),
  );
  return position === -1 ? undefined : String(position + 1);
}

function orderValueSql(alias: string, term: PlannedOrder, parameters: Parameters): string {
  const { embed, isSpread, field } = term;
  if (!embed) return fieldSql(alias, field, parameters);
  if (isSpread) return fieldSql(embed.joinAlias, field, parameters);
  const value = valueSql(embed.rows.alias, term, parameters);
  return `(select ${value} from ${matchingSql(embed.rows, embedRelation(embed), parameters)} limit 1)`;
}
