import { arrayLiteral } from '../plan/array-literal.js';
import type { PlannedField, PlannedFilter } from '../plan/plan.js';
import type { CompareOperator, IsValue, Operation, SearchOperator } from '../request/filter.js';
import { applySql, fieldSql } from './field-sql.js';
import type { Parameters } from './sql-query.js';

const compareSql: Record<CompareOperator, string> = {
  eq: '=',
  neq: '<>',
  gt: '>',
  gte: '>=',
  lt: '<',
  lte: '<=',
  like: 'like',
  ilike: 'ilike',
  match: '~',
  imatch: '~*',
  cs: '@>',
  cd: '<@',
  ov: '&&',
  sl: '<<',
  sr: '>>',
  nxr: '&<',
  nxl: '&>',
  adj: '-|-',
};

const isSql: Record<IsValue, string> = {
  null: 'null',
  not_null: 'not null',
  true: 'true',
  false: 'false',
  unknown: 'unknown',
};

const searchSql: Record<SearchOperator, string> = {
  fts: 'to_tsquery',
  plfts: 'plainto_tsquery',
  phfts: 'phraseto_tsquery',
  wfts: 'websearch_to_tsquery',
};

/** One comparison on the rows called `alias`. */
export function filterSql(alias: string, condition: PlannedFilter, parameters: Parameters): string {
  const test = operationSql(alias, condition.field, condition.operation, parameters);
  return condition.negated ? `not (${test})` : test;
}

function operationSql(
  alias: string,
  field: PlannedField,
  operation: Operation,
  parameters: Parameters,
): string {
  const left = fieldSql(alias, field, parameters);
  const fromText = field.representation?.fromText;
  switch (operation.kind) {
    case 'compare': {
      const { operator, quantifier } = operation;
      const isPattern = operator === 'like' || operator === 'ilike';
      // `*` stands for `%`, which would have to be percent-encoded in a URL.
      const text = parameters.add(isPattern ? operation.value.replaceAll('*', '%') : operation.value);
      const value = fromText && !isPattern ? applySql(fromText, text) : text;
      return `${left} ${compareSql[operator]} ${quantifier ? `${quantifier}(${value})` : value}`;
    }
    case 'in': {
      // One array parameter: the text of the statement stays the same for any number of values.
      const list = parameters.add(arrayLiteral(operation.values));
      return `${left} = any(${fromText ? `select ${applySql(fromText, `unnest(${list}::text[])`)}` : list})`;
    }
    case 'is':
      return `${left} is ${isSql[operation.value]}`;
    case 'isdistinct':
      return `${left} is distinct from ${parameters.add(operation.value)}`;
    case 'search': {
      const language =
        operation.language === undefined ? '' : `${parameters.add(operation.language)}::regconfig, `;
      const document = field.isTsvector ? left : `to_tsvector(${language}${left})`;
      return `${document} @@ ${searchSql[operation.operator]}(${language}${parameters.add(operation.value)})`;
    }
  }
}
