import { matchName } from '../plan/aliases.js';
import type { ReadPlan, RowsPlan } from '../plan/plan.js';
import { responseSql } from './body-sql.js';
import { matchingRowsSql, rowsSql } from './rows-sql.js';
import { Parameters, type SqlQuery } from './sql-query.js';

export function readSql(plan: ReadPlan): SqlQuery {
  const parameters = new Parameters();
  const rows = rowsSql(plan.rows, parameters);
  const text = responseSql(plan, rows, { total: totalSql(plan, parameters) });
  return { text, values: parameters.values, readOnly: true, estimate: estimateSql(plan) };
}

function totalSql({ rows, count, exactCountRows }: ReadPlan, parameters: Parameters): string {
  switch (count) {
    case 'exact':
      return exactTotalSql(rows, parameters);
    case 'estimated': {
      const highest = parameters.add(exactCountRows + 1);
      return `(select count(*) from (${matchingRowsSql(rows, parameters)} limit ${highest}) as ${matchName})`;
    }
    default:
      return 'null';
  }
}

/** A page that ends before its limit is the last one, so its rows need not be counted a second time. */
function exactTotalSql(rows: RowsPlan, parameters: Parameters): string {
  const all = `(select count(*) from (${matchingRowsSql(rows, parameters)}) as ${matchName})`;
  const { offset, limit } = rows.range;
  if (offset > 0 || limit === undefined) return all;
  return `case when count(*) < ${parameters.add(limit)} then count(*) else ${all} end`;
}

function estimateSql({ rows, count, exactCountRows }: ReadPlan): SqlQuery['estimate'] {
  if (count !== 'planned' && count !== 'estimated') return undefined;
  const parameters = new Parameters();
  const text = `explain (format json) ${matchingRowsSql(rows, parameters)}`;
  return { text, values: parameters.values, above: count === 'planned' ? -1 : exactCountRows };
}
