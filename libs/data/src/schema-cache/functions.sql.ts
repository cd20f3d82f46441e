import type { Sql } from '#libs/platform';
import { inputParameters, isCallable } from './callable-functions.sql.js';
import { domainTypes } from './domain-types.sql.js';
import {
  nameKey,
  type DatabaseFunction,
  type FunctionParameter,
  type FunctionResult,
} from './schema-cache.js';

interface Row {
  schema: string;
  name: string;
  parameters: FunctionParameter[];
  result: FunctionResult['kind'];
  is_set: boolean;
  table_schema: string | null;
  table_name: string | null;
  is_volatile: boolean;
  settings: Record<string, string> | null;
}

/** Functions of `schemas` that can be called by name. Wants an empty `search_path`. */
export async function loadFunctions(
  tx: Sql,
  schemas: readonly string[],
): Promise<Map<string, DatabaseFunction[]>> {
  const { rows } = await tx.query<Row>(text, [schemas]);
  const functions = new Map<string, DatabaseFunction[]>();
  for (const row of rows) {
    const key = nameKey(row.schema, row.name);
    const overloads = functions.get(key) ?? [];
    functions.set(key, overloads);
    overloads.push({
      schema: row.schema,
      name: row.name,
      parameters: row.parameters,
      returns: {
        kind: row.result,
        isSet: row.is_set,
        table: row.table_name === null ? undefined : { schema: row.table_schema!, name: row.table_name },
      },
      isVolatile: row.is_volatile,
      settings: row.settings ?? {},
    });
  }
  return functions;
}

// OUT and TABLE parameters make the result a row, whatever the declared type.
const text = `
  with recursive ${domainTypes}
  select n.nspname as schema, p.proname as name, input.parameters,
    case
      when t.oid = 'pg_catalog.void'::regtype then 'void'
      when base.typtype = 'c' or p.proargmodes && '{t,b,o}'::"char"[] then 'composite'
      else 'scalar'
    end as result,
    p.proretset as is_set, rn.nspname as table_schema, r.relname as table_name,
    p.provolatile = 'v' as is_volatile,
    (select json_object_agg(split_part(entry, '=', 1), substr(entry, strpos(entry, '=') + 1))
      from unnest(p.proconfig) as entry) as settings
  from pg_catalog.pg_proc p
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  join pg_catalog.pg_type t on t.oid = p.prorettype
  left join domain_types d on d.domain = t.oid
  join pg_catalog.pg_type base on base.oid = coalesce(d.type, t.oid)
  left join pg_catalog.pg_class r on r.oid = base.typrelid and r.relkind <> 'c'
  left join pg_catalog.pg_namespace rn on rn.oid = r.relnamespace
  cross join ${inputParameters('-1')}
  where n.nspname = any($1) and ${isCallable}
  order by p.pronargs, p.oid`;
