/** For WITH RECURSIVE: the type that each domain is over in the end, through domains over domains. */
export const domainTypes = `
  domain_bases as (
    select oid as domain, typbasetype as type from pg_catalog.pg_type where typtype = 'd'
    union all
    select domain_bases.domain, t.typbasetype
    from domain_bases
    join pg_catalog.pg_type t on t.oid = domain_bases.type and t.typtype = 'd'
  ),
  domain_types as (
    select domain_bases.domain, domain_bases.type
    from domain_bases
    join pg_catalog.pg_type t on t.oid = domain_bases.type and t.typtype <> 'd'
  )`;
