import type { Sql } from '#libs/platform';
import { domainTypes } from './domain-types.sql.js';
import type { Column, QualifiedName, Representation, Table } from './schema-cache.js';

type Domain = Pick<Column, 'baseType' | 'representation'>;

interface Row {
  type: string;
  base_type: string;
  direction: keyof Representation | null;
  function: QualifiedName;
}

/**
 * What is to be known of domains, by their SQL text: the type that they are over in the end, and how their values are
 * shown and read. That say implicit casts between them and json or text, which PostgreSQL itself passes over
 * (postgrest.org, "Domain Representations"). Wants an empty `search_path`.
 */
export async function loadDomains(tx: Sql): Promise<Map<string, Domain>> {
  const { rows } = await tx.query<Row>(text);
  const domains = new Map<string, Domain>();
  for (const { type, base_type: baseType, direction, function: name } of rows) {
    const known = domains.get(type)?.representation;
    const representation = direction === null ? known : { ...known, [direction]: name };
    domains.set(type, { baseType, representation });
  }
  return domains;
}

/** The tables with what their columns have of `domains`. */
export function withDomains(
  tables: ReadonlyMap<string, Table>,
  domains: ReadonlyMap<string, Domain>,
): Map<string, Table> {
  const described = (column: Column): Column => ({ ...column, ...domains.get(column.type) });
  return new Map(
    Array.from(tables, ([key, table]) => {
      const isPlain = Array.from(table.columns.values()).every((column) => !domains.has(column.type));
      if (isPlain) return [key, table];
      const columns = Array.from(table.columns, ([name, column]) => [name, described(column)] as const);
      return [key, { ...table, columns: new Map(columns) }];
    }),
  );
}

const text = `
  with recursive ${domainTypes}
  select format_type(d.domain, null) as type, base.typname as base_type,
    case
      when c.castsource = d.domain then 'toJson'
      when c.castsource = 'pg_catalog.json'::regtype then 'fromJson'
      when c.castsource = 'pg_catalog.text'::regtype then 'fromText'
    end as direction,
    json_build_object('schema', n.nspname, 'name', p.proname) as function
  from domain_types d
  join pg_catalog.pg_type base on base.oid = d.type
  left join pg_catalog.pg_cast c on c.castcontext = 'i' and c.castmethod = 'f' and (
    c.castsource = d.domain and c.casttarget = 'pg_catalog.json'::regtype
    or c.casttarget = d.domain
      and c.castsource in ('pg_catalog.json'::regtype, 'pg_catalog.text'::regtype))
  left join pg_catalog.pg_proc p on p.oid = c.castfunc
  left join pg_catalog.pg_namespace n on n.oid = p.pronamespace`;
