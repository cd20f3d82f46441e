import { quoteIdent, quoteQualified } from '#libs/platform';
import type { PlannedField } from '../plan/plan.js';
import type { TypeName } from '../request/type-name.js';
import type { QualifiedName } from '../schema-cache/schema-cache.js';
import type { Parameters } from './sql-query.js';
import { typeSql } from './type-sql.js';

/** A column of `alias`, or a value inside it. */
export function fieldSql(alias: string, field: PlannedField, parameters: Parameters): string {
  const { rowType } = field;
  const column = rowType
    ? `(${rowSql(alias)}::${quoteQualified(rowType.schema, rowType.name)}).${quoteIdent(field.column)}`
    : columnSql(alias, field.column);
  if (field.jsonPath.length === 0) return column;
  const steps = field.jsonPath.map(({ arrow, key }) => {
    return `${arrow}${parameters.add(key)}${typeof key === 'number' ? '::int' : ''}`;
  });
  return `(${field.isJson ? column : `to_jsonb(${column})`}${steps.join('')})`;
}

export function columnSql(alias: string, column: string): string {
  return `${quoteIdent(alias)}.${quoteIdent(column)}`;
}

/** A whole row as one value: by its bare name PostgreSQL would take a column of that name, where there is one. */
export function rowSql(alias: string): string {
  return `${quoteIdent(alias)}.*`;
}

export function applySql({ schema, name }: QualifiedName, argument: string): string {
  return `${quoteQualified(schema, name)}(${argument})`;
}

export function castSql(expression: string, type: TypeName): string {
  return `cast(${expression} as ${typeSql(type)})`;
}
