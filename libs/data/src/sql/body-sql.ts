import { quoteQualified } from '#libs/platform';
import { limits } from '../limits.js';
import { rowName, rowsName, scalarColumn } from '../plan/aliases.js';
import type { BodyFormat, Plan } from '../plan/plan.js';
import type { FunctionResult, MediaHandler } from '../schema-cache/schema-cache.js';
import { rowSql } from './field-sql.js';

const row = rowSql(rowName);
const value = `${rowName}.${scalarColumn}`;

// Read last, when all that may set them has run.
const responseSettings = ['headers', 'status']
  .map((name) => `nullif(current_setting('response.${name}', true), '') as response_${name}`)
  .join(', ');

/**
 * The whole statement: `rows` become the text of the response body, so that no row passes through JavaScript.
 *
 * @param parts.source  a query that gives what `rows` are of, by its name
 * @param parts.total  expression for the rows in all, or `null`
 * @param parts.changed  expression for the rows that were changed, where those are not the body's
 * @param parts.location  expression for what identifies a single new row, or `null`
 */
export function responseSql(
  plan: Plan,
  rows: string,
  parts: {
    source?: readonly [name: string, query: string];
    total: string;
    location?: string;
    inserted?: string;
    changed?: string;
  },
): string {
  const { total, location = 'null', inserted = 'null' } = parts;
  const changed = parts.changed === undefined ? '' : `, ${parts.changed} as changed`;
  // The header of CSV is of one row, so the rows are there twice.
  const isNamed = plan.output?.kind === 'csv';
  const named = [...(parts.source ? [parts.source] : []), ...(isNamed ? [[rowsName, rows] as const] : [])];
  // A stable function whose result is not shown would not be called at all.
  const kept = plan.kind === 'call' && !plan.output ? 'materialized ' : '';
  const queries = named.map(([name, query]) => `${name} as ${kept}(${query})`).join(', ');
  return (
    `${queries && `with ${queries} `}select ${bodySql(plan)} as body, count(*) as page_total, ${total} as total, ` +
    `${location} as location, ${inserted} as inserted${changed}, ${responseSettings} ` +
    `from ${isNamed ? rowsName : `(${rows})`} as ${rowName}`
  );
}

function bodySql(plan: Plan): string {
  if (!plan.output) return `''`;
  const returns = plan.kind === 'call' ? plan.function.returns : undefined;
  switch (plan.output.kind) {
    case 'json':
      return bounded(jsonSql(plan.output, returns));
    case 'csv':
      return bounded(csvSql());
    case 'geojson':
      return bounded(geojsonSql());
    case 'custom':
      return customSql(plan.output.handler, returns);
  }
}

function bounded(body: string, highest = limits.responseBytes): string {
  return `galley.bounded(${body}, ${highest})`;
}

function jsonSql(
  { isObject, stripNulls }: Extract<BodyFormat, { kind: 'json' }>,
  returns: FunctionResult | undefined,
): string {
  const all = `json_agg(${returns?.kind === 'scalar' ? value : row})`;
  const list = stripNulls ? `json_strip_nulls(${all})` : all;
  const single = isObject || (returns !== undefined && !returns.isSet);
  return single ? `coalesce((${list} -> 0)::text, 'null')` : `coalesce(${list}::text, '[]')`;
}

// A row's own text is already comma-separated and quoted as CSV wants it, inside brackets.
function csvSql(): string {
  const quoted = `case when key ~ '[",\\n\\r]' then '"' || replace(key, '"', '""') || '"' else key end`;
  const keys = `json_object_keys((select row_to_json(${row}) from ${rowsName} as ${rowName} limit 1)) as key`;
  const header = `(select string_agg(${quoted}, ',') from ${keys})`;
  const lines = `string_agg(substring(${row}::text, 2, length(${row}::text) - 2), E'\\n')`;
  return `coalesce(${header}, '') || E'\\n' || coalesce(${lines}, '')`;
}

/** RFC 7946 §3.3, by a function of PostGIS. */
function geojsonSql(): string {
  const features = `coalesce(json_agg(st_asgeojson(${row})::json), '[]')`;
  return `json_build_object('type', 'FeatureCollection', 'features', ${features})::text`;
}

/** Bytes are written in hexadecimal, as PostgreSQL sends them anyway. */
function customSql(handler: MediaHandler, returns: FunctionResult | undefined): string {
  const { isBinary } = handler;
  const written = handlerSql(handler, returns);
  return isBinary
    ? bounded(`coalesce(encode(${written}, 'hex'), '')`, 2 * limits.responseBytes)
    : bounded(`coalesce(${written}, '')`);
}

function handlerSql(
  { aggregate, rowType, isBinary }: MediaHandler,
  returns: FunctionResult | undefined,
): string {
  const type = isBinary ? 'bytea' : 'text';
  if (!aggregate) return `string_agg(${value}::${type}, ''::${type})`;
  const isValue = returns?.kind === 'scalar' && !returns.isSet;
  const typed = rowType ? `${row}::${quoteQualified(rowType.schema, rowType.name)}` : row;
  return `${quoteQualified(aggregate.schema, aggregate.name)}(${isValue ? value : typed})::${type}`;
}
