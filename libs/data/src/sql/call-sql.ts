import { quoteIdent, quoteQualified } from '#libs/platform';
import { bodyName, matchName, scalarColumn, sourceName } from '../plan/aliases.js';
import type { CallArguments, CallPlan } from '../plan/plan.js';
import type { FunctionParameter } from '../schema-cache/schema-cache.js';
import { responseSql } from './body-sql.js';
import { columnSql } from './field-sql.js';
import { matchingRowsSql, rowsSql } from './rows-sql.js';
import { recordSql } from './record-sql.js';
import { Parameters, type SqlQuery } from './sql-query.js';

export function callSql(plan: CallPlan): SqlQuery {
  const parameters = new Parameters();
  const call = resultSql(plan, parameters);
  const rows = rowsSql(plan.rows, parameters);
  const isCounted = plan.count === 'exact' || plan.count === 'estimated';
  const total = isCounted
    ? `(select count(*) from (${matchingRowsSql(plan.rows, parameters)}) as ${matchName})`
    : 'null';
  return {
    text: responseSql(plan, rows, { source: [sourceName, call], total }),
    values: parameters.values,
    readOnly: plan.readOnly,
    estimate: undefined,
  };
}

function resultSql(plan: CallPlan, parameters: Parameters): string {
  const { schema, name, returns } = plan.function;
  const { list, from } = argumentsSql(plan.function.parameters, plan.arguments, parameters);
  const call = `${quoteQualified(schema, name)}(${list})`;
  if (returns.kind !== 'composite') return `select ${call} as ${scalarColumn}${from && ` from ${from}`}`;
  const alias = quoteIdent(plan.rows.alias);
  return `select ${alias}.* from ${from && `${from}, lateral `}${call} as ${alias}`;
}

/** The arguments in named notation, and the FROM item they are read from. */
function argumentsSql(
  known: readonly FunctionParameter[],
  given: CallArguments,
  parameters: Parameters,
): { list: string; from: string } {
  switch (given.kind) {
    case 'body':
      return { list: `${parameters.add(given.value)}::${known[0]!.type}`, from: '' };
    case 'texts': {
      const passed = known.filter((parameter) => given.values.has(parameter.name));
      const value = ({ name, type }: FunctionParameter) =>
        `${parameters.add(given.values.get(name))}::${type}`;
      return {
        list: passed.map((parameter) => argumentSql(parameter, value(parameter))).join(', '),
        from: '',
      };
    }
    case 'json': {
      const passed = known.filter((parameter) => given.names.includes(parameter.name));
      if (passed.length === 0) return { list: '', from: '' };
      const body = `${parameters.add(given.payload.text)}::json${given.payload.kind === 'json-array' ? ' -> 0' : ''}`;
      return {
        list: passed
          .map((parameter) => argumentSql(parameter, columnSql(bodyName, parameter.name)))
          .join(', '),
        from: recordSql(`json_to_record(${body})`, passed, given.payload),
      };
    }
  }
}

function argumentSql({ name, variadic }: FunctionParameter, value: string): string {
  return `${variadic ? 'variadic ' : ''}${quoteIdent(name)} => ${value}`;
}
