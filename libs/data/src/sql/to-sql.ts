import type { Plan } from '../plan/plan.js';
import { callSql } from './call-sql.js';
import { mutateSql } from './mutate-sql.js';
import { readSql } from './read-sql.js';
import type { SqlQuery } from './sql-query.js';

/** Writes the statement that carries out `plan`. */
export function toSql(plan: Plan): SqlQuery {
  switch (plan.kind) {
    case 'read':
      return readSql(plan);
    case 'mutate':
      return mutateSql(plan);
    case 'call':
      return callSql(plan);
  }
}
