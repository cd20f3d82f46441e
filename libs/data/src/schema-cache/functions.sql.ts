import type { Sql } from '#libs/platform';
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

// Only input parameters count for a call, and the last \`pronargdefaults\` of them may be left out.
// OUT and TABLE parameters make the result a row, whatever the declared type.
const text = `
  select n.nspname as schema, p.proname as name,
    (select coalesce(json_agg(json_build_object(
        'name', coalesce(input.name, ''),
        'type', format_type(input.type, -1),
        'required', input.position <= p.pronargs - p.pronargdefaults,
        'variadic', coalesce(input.mode = 'v', false)) order by input.position), '[]')
      from (
        select arg.name, arg.type, arg.mode, row_number() over (order by arg.position) as position
        from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]), p.proargnames, p.proargmodes)
          with ordinality as arg (type, name, mode, position)
        where coalesce(arg.mode, 'i') in ('i', 'b', 'v')
      ) as input) as parameters,
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
  join pg_catalog.pg_type base on base.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
  left join pg_catalog.pg_class r on r.oid = base.typrelid and r.relkind <> 'c'
  left join pg_catalog.pg_namespace rn on rn.oid = r.relnamespace
  where n.nspname = any($1) and p.prokind = 'f'
    and t.oid not in ('pg_catalog.trigger'::regtype, 'pg_catalog.event_trigger'::regtype)
  order by p.pronargs, p.oid`;
