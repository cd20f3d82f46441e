import { quoteIdent, quoteQualified } from '#libs/platform';
import { limits } from '../limits.js';
import { matchName, sourceName } from '../plan/aliases.js';
import type { MutatePlan, PlannedColumn, PlannedCondition, Slice } from '../plan/plan.js';
import type { QualifiedName } from '../schema-cache/schema-cache.js';
import { changeSql } from '../sql/mutate-sql.js';
import { conditionSql } from '../sql/rows-sql.js';
import { Parameters } from '../sql/sql-query.js';
import type { Tried, Try } from './tried.js';

/** Rows of a table as they are beneath row-level security. */
export interface RowsBeneath {
  /** An array of them as PostgreSQL writes it, which it reads again whatever their types. */
  readonly text: string;
  readonly considered: number;
  /** There are more than are looked at. */
  readonly isPartial: boolean;
}

/** Rows of `table` that match `where` under the name `alias`, read as `role`, which bypasses row-level security. */
export async function existingRows(
  tryOut: Try,
  role: string,
  table: QualifiedName,
  { alias, where }: { alias: string; where: readonly PlannedCondition[] },
): Promise<Tried<RowsBeneath>> {
  const parameters = new Parameters();
  const tests = where.map((condition) => conditionSql(alias, condition, parameters));
  const source = `${quoteQualified(table.schema, table.name)} as ${quoteIdent(alias)}`;
  const from = `${source}${tests.length === 0 ? '' : ` where ${tests.join(' and ')}`}`;
  return rowsOf(tryOut, role, matchingSql(table, alias, from, parameters), parameters);
}

/** Rows as `plan` would leave them, changed as `role`, which bypasses row-level security; they are changed back. */
export async function newRows(tryOut: Try, role: string, plan: MutatePlan): Promise<Tried<RowsBeneath>> {
  const parameters = new Parameters();
  const returning = { allColumns: true, columns: [] };
  const change = changeSql({ ...plan, change: boundedChange(plan), returning }, parameters);
  const matching = matchingSql(plan.table, sourceName, sourceName, parameters);
  return rowsOf(tryOut, role, `${sourceName} as (${change}), ${matching}`, parameters);
}

/** The role may change rows without number that the caller may not: no more of them are than are looked at. */
function boundedChange({ change, table, rows: { alias } }: MutatePlan): MutatePlan['change'] {
  if (change.kind !== 'update' && change.kind !== 'delete') return change;
  const slice = change.slice ?? sliceOf(table, alias, change.where);
  const { range } = slice.rows;
  const limit = Math.min(range.limit ?? Infinity, limits.explainedRows + 1);
  return { ...change, slice: { ...slice, rows: { ...slice.rows, range: { ...range, limit } } } };
}

/** Rows that match, by where they lie: partitions have places of their own. */
function sliceOf({ schema, name }: QualifiedName, alias: string, where: readonly PlannedCondition[]): Slice {
  const keys = ['tableoid', 'ctid'];
  const rows = { from: { schema, name }, alias, columns: keys.map(columnOf), where };
  return {
    keys,
    rows: { ...rows, embeds: [], order: [], range: { offset: 0, limit: undefined }, isGrouped: false },
  };
}

function columnOf(column: string): PlannedColumn {
  const field = { column, jsonPath: [], isJson: false, isTsvector: false, representation: undefined };
  return { kind: 'value', field, cast: undefined, as: column, aggregate: undefined };
}

function matchingSql(table: QualifiedName, alias: string, from: string, parameters: Parameters): string {
  const row = `row(${quoteIdent(alias)}.*)::${quoteQualified(table.schema, table.name)}`;
  return `${matchName} as (select ${row} as item from ${from} limit ${parameters.add(limits.explainedRows + 1)})`;
}

function rowsOf(
  tryOut: Try,
  role: string,
  sources: string,
  parameters: Parameters,
): Promise<Tried<RowsBeneath>> {
  const rowsAtMost = parameters.add(limits.explainedRows);
  const bytesAtMost = parameters.add(limits.explainedBytes);
  const text = `
    with ${sources}, galley_kept as (
      select item, row_number() over () <= ${rowsAtMost}
        and sum(octet_length(item::text)) over (rows unbounded preceding) <= ${bytesAtMost} as is_kept
      from ${matchName}
    )
    select coalesce(array_agg(item) filter (where is_kept), '{}')::text as text,
      count(*) filter (where is_kept)::int as considered,
      coalesce(bool_or(not is_kept), false) as "isPartial"
    from galley_kept`;
  return tryOut(async (tx) => {
    await tx.query(`select set_config('role', $1, true)`, [role]);
    const { rows } = await tx.query<RowsBeneath>(text, parameters.values);
    return rows[0]!;
  });
}
