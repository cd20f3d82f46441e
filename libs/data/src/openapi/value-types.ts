/** A kind of value as Swagger 2.0 has it; undefined: any. */
type SwaggerType = 'string' | 'boolean' | 'integer' | 'number' | 'array' | undefined;

const typeByName = new Map<string, SwaggerType>([
  ['boolean', 'boolean'],
  ['smallint', 'integer'],
  ['integer', 'integer'],
  ['bigint', 'integer'],
  ['numeric', 'number'],
  ['real', 'number'],
  ['double precision', 'number'],
  ['json', undefined],
  ['jsonb', undefined],
]);

export function swaggerType(type: string): SwaggerType {
  if (typeByName.has(type)) return typeByName.get(type);
  return type.endsWith('[]') ? 'array' : 'string';
}

const formatByName = new Map([
  ['smallint', 'int32'],
  ['integer', 'int32'],
  ['bigint', 'int64'],
]);

export function swaggerFormat(type: string): string {
  return formatByName.get(type) ?? type;
}

/** The type of an array's elements. */
export function elementType(type: string): string {
  return type.slice(0, -2);
}

/** A JSON schema of values of `type`. */
export function valueSchema(type: string): object {
  const kind = swaggerType(type);
  const elements = kind === 'array' ? swaggerType(elementType(type)) : undefined;
  return {
    ...(kind && { type: kind }),
    format: swaggerFormat(type),
    ...(kind === 'array' && { items: elements ? { type: elements } : {} }),
  };
}

/** What the SQL text of a default says, where that is a value and not an expression to be evaluated. */
export function defaultOf(type: string, sql: string | null): unknown {
  if (sql === null) return undefined;
  const cast = `::${type}`;
  const text = sql.endsWith(cast) ? sql.slice(0, -cast.length).replace(/^'+|'+$/g, '') : sql;
  try {
    return JSON.parse(swaggerType(type) === 'string' ? `"${text}"` : sql);
  } catch {
    return undefined;
  }
}
