import type { Sql } from '#libs/platform';
import type { ComputedRelationship } from './schema-cache.js';

/** Functions that take one row of a table or view of `schemas` and return rows of another. */
export async function loadComputedRelationships(
  tx: Sql,
  schemas: readonly string[],
): Promise<ComputedRelationship[]> {
  const { rows } = await tx.query<{ relationship: ComputedRelationship }>(text, [schemas]);
  return rows.map((row) => row.relationship);
}

// `returns setof x rows 1` promises one row; without SETOF there is never more than one.
const text = `
  select json_build_object(
    'kind', 'computed',
    'from', json_build_object('schema', fn.nspname, 'name', f.relname),
    'to', json_build_object('schema', tn.nspname, 'name', t.relname),
    'function', json_build_object('schema', n.nspname, 'name', p.proname),
    'toOne', not p.proretset or p.prorows = 1
  ) as relationship
  from pg_catalog.pg_proc p
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  join pg_catalog.pg_class f on f.reltype = p.proargtypes[0] and f.relkind <> 'c'
  join pg_catalog.pg_namespace fn on fn.oid = f.relnamespace
  join pg_catalog.pg_class t on t.reltype = p.prorettype and t.relkind <> 'c'
  join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
  where p.pronargs = 1 and p.prokind = 'f'
    and n.nspname = any($1) and fn.nspname = any($1) and tn.nspname = any($1)
  order by p.proname, p.oid`;
