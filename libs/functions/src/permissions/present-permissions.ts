import type { Sql } from '#libs/platform';

export interface PresentGrant {
  readonly on: 'schema' | 'table' | 'sequence' | 'function';
  /** As in `Grant`. */
  readonly name: string;
  readonly privilege: string;
}

export interface PresentPolicy {
  readonly table: string;
  readonly name: string;
}

/** What `role` holds now, by the catalogue. */
export async function presentPermissions(
  tx: Sql,
  role: string,
): Promise<{ grants: PresentGrant[]; policies: PresentPolicy[] }> {
  const { rows: grants } = await tx.query<PresentGrant>(
    `with own as (select oid from pg_roles where rolname = $1)
     select 'schema' as on, n.nspname::text as name, lower(a.privilege_type) as privilege
     from pg_namespace n, aclexplode(n.nspacl) a, own where a.grantee = own.oid
     union all
     select case c.relkind when 'S' then 'sequence' else 'table' end, n.nspname || '.' || c.relname,
            lower(a.privilege_type)
     from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(c.relacl) a, own
     where a.grantee = own.oid
     union all
     select 'function', n.nspname || '.' || p.proname || '(' || oidvectortypes(p.proargtypes) || ')',
            lower(a.privilege_type)
     from pg_proc p join pg_namespace n on n.oid = p.pronamespace, aclexplode(p.proacl) a, own
     where a.grantee = own.oid`,
    [role],
  );
  const { rows: policies } = await tx.query<PresentPolicy>(
    `select n.nspname || '.' || c.relname as table, p.polname::text as name
     from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace
     where p.polroles = array[(select oid from pg_roles where rolname = $1)]`,
    [role],
  );
  return { grants, policies };
}
