import type { Sql } from '#libs/platform';
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

// Only input parameters count for a call, and the last \`pronargdefaults\` of them may be left out.
// OUT and TABLE parameters make the result a row, whatever the declared type. An argument without a name can only be
// a whole body, so it has to be the only one and of a type that a body may have.
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
  cross join lateral (
    select count(*) as count, count(*) filter (where coalesce(arg.name, '') = '') as unnamed,
      (array_agg(arg.type::regtype::text))[1] as first_type,
      coalesce(json_agg(json_build_object(
        'name', coalesce(arg.name, ''),
        'type', format_type(arg.type, -1),
        'required', arg.position <= p.pronargs - p.pronargdefaults,
        'variadic', coalesce(arg.mode = 'v', false)) order by arg.position), '[]') as parameters
    from (
      select given.name, given.type, given.mode, row_number() over (order by given.position) as position
      from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]), p.proargnames, p.proargmodes)
        with ordinality as given (type, name, mode, position)
      where coalesce(given.mode, 'i') in ('i', 'b', 'v')
    ) as arg
  ) as input
  where n.nspname = any($1) and p.prokind = 'f'
    and (input.unnamed = 0
      or input.count = 1 and input.first_type in ('bytea', 'json', 'jsonb', 'text', 'xml'))
    and t.oid not in ('pg_catalog.trigger'::regtype, 'pg_catalog.event_trigger'::regtype)
  order by p.pronargs, p.oid`;
