import { limits } from '../limits.js';
import { scalarColumn } from '../plan/aliases.js';
import type { Plan } from '../plan/plan.js';
import type { MediaType } from '../request/media-type.js';
import type { FunctionResult } from '../schema-cache/schema-cache.js';

const rowAlias = 'galley_row';

// Read last, when all that may set them has run.
const responseSettings = ['headers', 'status']
  .map((name) => `nullif(current_setting('response.${name}', true), '') as response_${name}`)
  .join(', ');

/**
 * The outer query: `rows` become the text of the response body, so that no row passes through JavaScript.
 *
 * @param parts.total  expression for the rows in all, or `null`
 * @param parts.changed  expression for the rows that were changed, where those are not the body's
 * @param parts.location  expression for what identifies a single new row, or `null`
 */
export function responseSql(
  plan: Plan,
  rows: string,
  parts: { total: string; location?: string; inserted?: string; changed?: string },
): string {
  const body = bodySql(plan);
  const { total, location = 'null', inserted = 'null' } = parts;
  const changed = parts.changed === undefined ? '' : `, ${parts.changed} as changed`;
  return (
    `select ${body} as body, count(*) as page_total, ${total} as total, ` +
    `${location} as location, ${inserted} as inserted${changed}, ${responseSettings} from (${rows}) as ${rowAlias}`
  );
}

function bodySql(plan: Plan): string {
  if (!plan.output) return `''`;
  const returns = plan.kind === 'call' ? plan.function.returns : undefined;
  const body = plan.output.format === 'csv' ? csvSql() : jsonSql(plan.output, returns);
  return `galley.bounded(${body}, ${limits.responseBytes})`;
}

function jsonSql({ format, stripNulls }: MediaType, returns: FunctionResult | undefined): string {
  const row = returns?.kind === 'scalar' ? `${rowAlias}.${scalarColumn}` : rowAlias;
  const list = stripNulls ? `json_strip_nulls(json_agg(${row}))` : `json_agg(${row})`;
  const single = format === 'object' || (returns !== undefined && !returns.isSet);
  return single ? `coalesce((${list} -> 0)::text, 'null')` : `coalesce(${list}::text, '[]')`;
}

// A row's own text is already comma-separated and quoted as CSV wants it, inside brackets.
function csvSql(): string {
  const quoted = `case when key ~ '[",\\n\\r]' then '"' || replace(key, '"', '""') || '"' else key end`;
  const header = `(select string_agg(${quoted}, ',') from json_object_keys(json_agg(${rowAlias}) -> 0) as key)`;
  const lines = `string_agg(substring(${rowAlias}::text, 2, length(${rowAlias}::text) - 2), E'\\n')`;
  return `coalesce(${header} || E'\\n' || ${lines}, '')`;
}
