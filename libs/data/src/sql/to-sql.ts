import type { Plan } from '../plan/plan.js';
import type { PlanMediaType } from '../request/media-type.js';
import { callSql } from './call-sql.js';
import { mutateSql } from './mutate-sql.js';
import { readSql } from './read-sql.js';
import type { SqlQuery } from './sql-query.js';

/** Writes the statement that carries out `plan`, or that tells how it would be. */
export function toSql(plan: Plan): SqlQuery {
  const query = statementOf(plan);
  return plan.explain ? explainSql(query, plan.explain) : query;
}

/** PostgreSQL manual, "EXPLAIN". With `analyze` the statement runs. */
function explainSql(query: SqlQuery, { format, options }: PlanMediaType): SqlQuery {
  const text = `explain (${[`format ${format}`, ...options].join(', ')}) ${query.text}`;
  return { ...query, text, estimate: undefined };
}

function statementOf(plan: Plan): SqlQuery {
  switch (plan.kind) {
    case 'read':
      return readSql(plan);
    case 'mutate':
      return mutateSql(plan);
    case 'call':
      return callSql(plan);
  }
}
