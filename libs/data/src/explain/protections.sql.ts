import type { Sql } from '#libs/platform';
import type { Access, Command } from './accesses.js';

/** What stands between a role and a table that it, or a view it asks, does something with. */
export interface Protection {
  readonly schema: string;
  readonly name: string;
  readonly command: Command;
  /** Whose rights count: the caller's role, or the owner of the view. */
  readonly role: string;
  /** The view that leads to the table. */
  readonly through: string | null;
  readonly kind: 'table' | 'foreign table' | 'view' | 'materialized view';
  readonly isEnabled: boolean;
  readonly isForced: boolean;
  /** The role is a superuser or has BYPASSRLS. */
  readonly bypasses: boolean;
  readonly owns: boolean;
  readonly lacksSchema: boolean;
  /** No column of the table is open to it. */
  readonly lacksAll: boolean;
  readonly lacksColumns: readonly string[] | null;
  readonly policies: readonly Policy[] | null;
}

/** One row of pg_policy. */
export interface Policy {
  readonly name: string;
  readonly command: Command | 'ALL';
  readonly permissive: boolean;
  readonly roles: readonly string[];
  readonly using: string | null;
  readonly check: string | null;
  /** It is for this role and command. */
  readonly applies: boolean;
}

/** Views within views are followed this far. */
const viewDepth = 16;

/**
 * Reads what PostgreSQL's catalogues say of `accesses` by `role`. Expressions name everything with its schema only
 * while the search path is empty.
 */
export async function readProtections(
  tx: Sql,
  accesses: readonly Access[],
  role: string,
): Promise<Protection[]> {
  const asked = JSON.stringify(accesses.map((access, position) => ({ ...access, position })));
  const { rows } = await tx.query<Protection>(protectionsSql, [asked, role, viewDepth]);
  return rows;
}

// A view's tables are read with its owner's rights, or with `security_invoker` with those of whoever asks, however
// many other views are in between (PostgreSQL manual, CREATE VIEW). A change through a view is one of the only table in
// its FROM, whose entry comes last before the join tree, unless a trigger (64: INSTEAD OF) stands in for it.
const protectionsSql = `
  with recursive reached as (
    select a.position, 0 as depth, c.oid, a.command, a.columns, r.oid as role, null::oid as through
    from jsonb_to_recordset($1::jsonb)
      as a (position int, schema text, name text, command text, columns text[])
    join pg_catalog.pg_namespace n on n.nspname = a.schema
    join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = a.name
    join pg_catalog.pg_roles r on r.rolname = $2
    union
    select r.position, r.depth + 1, d.refobjid,
      case when d.refobjid::text = base.relid and not exists (select from pg_catalog.pg_trigger t
          where t.tgrelid = v.oid and t.tgtype & 64 > 0)
        then r.command else 'SELECT' end,
      '{}',
      case when coalesce((select option_value::boolean from pg_options_to_table(v.reloptions)
          where option_name = 'security_invoker'), false)
        then (select oid from pg_catalog.pg_roles where rolname = $2) else v.relowner end,
      v.oid
    from reached r
    join pg_catalog.pg_class v on v.oid = r.oid and v.relkind = 'v'
    join pg_catalog.pg_rewrite w on w.ev_class = v.oid and w.ev_type = '1'
    join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::regclass and d.objid = w.oid
      and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid <> v.oid
    cross join lateral (
      select substring(split_part(w.ev_action::text, ' :jointree {', 1) from '.* :relid ([0-9]+)') as relid
    ) as base
    where r.depth < $3
  )
  select n.nspname as schema, c.relname as name, x.command, r.rolname as role,
    (select format('%s.%s', vn.nspname, v.relname) from pg_catalog.pg_class v
       join pg_catalog.pg_namespace vn on vn.oid = v.relnamespace where v.oid = x.through) as through,
    case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' else 'table' end
      as kind,
    c.relrowsecurity as "isEnabled",
    c.relforcerowsecurity as "isForced",
    r.rolsuper or r.rolbypassrls as bypasses,
    pg_has_role(r.oid, c.relowner, 'usage') as owns,
    x.through is null and not has_schema_privilege(r.oid, n.oid, 'usage') as "lacksSchema",
    case x.command when 'DELETE' then not has_table_privilege(r.oid, c.oid, 'delete')
      else not has_any_column_privilege(r.oid, c.oid, x.command) end as "lacksAll",
    (select json_agg(a.attname order by a.attnum) from pg_catalog.pg_attribute a
       where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
         and (x.columns is null or a.attname = any (x.columns))
         and case x.command when 'DELETE' then false
           else not has_column_privilege(r.oid, c.oid, a.attnum, x.command) end) as "lacksColumns",
    (select json_agg(json_build_object(
        'name', p.polname,
        'command', case p.polcmd when '*' then 'ALL' when 'r' then 'SELECT' when 'a' then 'INSERT'
          when 'w' then 'UPDATE' else 'DELETE' end,
        'permissive', p.polpermissive,
        'roles', (select json_agg(case m when 0 then 'public' else pg_get_userbyid(m) end) from unnest(p.polroles) as m),
        'using', pg_get_expr(p.polqual, p.polrelid),
        'check', pg_get_expr(p.polwithcheck, p.polrelid),
        'applies', (p.polcmd = '*' or p.polcmd = case x.command when 'SELECT' then 'r' when 'INSERT' then 'a'
            when 'UPDATE' then 'w' else 'd' end)
          and exists (select from unnest(p.polroles) as m where m = 0 or pg_has_role(r.oid, m, 'usage'))
      ) order by p.polname) from pg_catalog.pg_policy p where p.polrelid = c.oid) as policies
  from reached x
  join pg_catalog.pg_class c on c.oid = x.oid and c.relkind in ('r', 'p', 'f', 'v', 'm')
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_roles r on r.oid = x.role
  order by x.position, x.depth, n.nspname, c.relname
`;
