import type { PlannedValue } from '../plan/plan.js';
import type { Aggregate } from '../request/select.js';
import type { TypeName } from '../request/type-name.js';
import { applySql, castSql, fieldSql } from './field-sql.js';
import type { Parameters } from './sql-query.js';

/** A selected value of the rows called `alias`, before anything is made of its group. */
export function valueSql(
  alias: string,
  { field, cast }: Pick<PlannedValue, 'field' | 'cast'>,
  parameters: Parameters,
): string {
  // What stands for the row itself: it is there, or after a join it is not.
  if (!field) return '1';
  const toJson = field.representation?.toJson;
  const value = fieldSql(alias, field, parameters);
  return castMaybe(toJson ? applySql(toJson, value) : value, cast);
}

export function aggregateSql(value: string, aggregate: Aggregate | undefined): string {
  if (!aggregate) return value;
  return castMaybe(`${aggregate.function}(${value})`, aggregate.cast);
}

function castMaybe(expression: string, type: TypeName | undefined): string {
  return type ? castSql(expression, type) : expression;
}
