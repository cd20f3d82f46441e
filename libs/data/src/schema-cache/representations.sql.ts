import type { Sql } from '#libs/platform';
import type { QualifiedName, Representation } from './schema-cache.js';

interface Row {
  domain: string;
  direction: keyof Representation;
  function: QualifiedName;
}

/**
 * How values of domains are shown and read, by the domain's SQL text: implicit casts between it and json or text, which
 * PostgreSQL itself passes over (postgrest.org, "Domain Representations"). Wants an empty `search_path`.
 */
export async function loadRepresentations(tx: Sql): Promise<Map<string, Representation>> {
  const { rows } = await tx.query<Row>(text);
  const representations = new Map<string, Representation>();
  for (const { domain, direction, function: name } of rows) {
    representations.set(domain, { ...representations.get(domain), [direction]: name });
  }
  return representations;
}

const text = `
  select format_type(t.oid, null) as domain,
    case
      when t.oid = c.castsource then 'toJson'
      when c.castsource = 'pg_catalog.json'::regtype then 'fromJson'
      else 'fromText'
    end as direction,
    json_build_object('schema', n.nspname, 'name', p.proname) as function
  from pg_catalog.pg_cast c
  join pg_catalog.pg_type t on t.typtype = 'd' and (
    t.oid = c.castsource and c.casttarget = 'pg_catalog.json'::regtype
    or t.oid = c.casttarget and c.castsource in ('pg_catalog.json'::regtype, 'pg_catalog.text'::regtype))
  join pg_catalog.pg_proc p on p.oid = c.castfunc
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  where c.castcontext = 'i' and c.castmethod = 'f'`;
