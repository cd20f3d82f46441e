import { quoteIdent, quoteQualified, type Sql } from '#libs/platform';
import type { FunctionName, RoleSettings } from './rest-settings.js';

const prefix = 'pgrst.';

/**
 * What `alter role authenticator set pgrst.… = …` says, by name without `pgrst.`; what it says `in database` wins
 * (postgrest.org, "In-Database Configuration").
 */
export async function authenticatorSettings(tx: Sql): Promise<Map<string, string>> {
  const { rows } = await tx.query<{ name: string; value: string }>(
    `select substr(name, ${prefix.length + 1}) as name, value
     from (
       select setdatabase, split_part(entry, '=', 1) as name, substr(entry, strpos(entry, '=') + 1) as value
       from pg_catalog.pg_db_role_setting, unnest(setconfig) as entry
       where setrole = 'authenticator'::regrole
         and setdatabase in (0, (select oid from pg_catalog.pg_database where datname = current_database()))
     ) as given
     where name like $1
     order by setdatabase = 0 desc`,
    [`${prefix}%`],
  );
  return new Map(rows.map(({ name, value }) => [name, value]));
}

/**
 * Calls the function that sets `pgrst.…` settings for its transaction, as `authenticator`, and tells those of `names`
 * that it set.
 */
export async function preConfigSettings(
  tx: Sql,
  { schema, name }: FunctionName,
  names: readonly string[],
): Promise<Map<string, string>> {
  await tx.query('set local role authenticator');
  await tx.query(`select ${schema === undefined ? quoteIdent(name) : quoteQualified(schema, name)}()`);
  const { rows } = await tx.query<{ name: string; value: string }>(
    `select name, current_setting('${prefix}' || name, true) as value from unnest($1::text[]) as name`,
    [names],
  );
  await tx.query('reset role');
  return new Map(rows.filter(({ value }) => value !== null).map((row) => [row.name, row.value]));
}

/**
 * Settings of the roles that callers take. Those that `authenticator` may not set are left out: they would make each
 * request fail.
 */
export async function roleSettings(tx: Sql): Promise<Map<string, RoleSettings>> {
  const { rows } = await tx.query<{ role: string; settings: Record<string, string> }>(
    `select role, json_object_agg(name, value order by setdatabase = 0 desc) as settings
     from (
       select r.rolname as role, s.setdatabase, split_part(entry, '=', 1) as name,
         substr(entry, strpos(entry, '=') + 1) as value
       from pg_catalog.pg_auth_members m
       join pg_catalog.pg_roles r on r.oid = m.roleid
       join pg_catalog.pg_db_role_setting s on s.setrole = r.oid, unnest(s.setconfig) as entry
       where m.member = 'authenticator'::regrole
         and s.setdatabase in (0, (select oid from pg_catalog.pg_database where datname = current_database()))
     ) as given
     join pg_catalog.pg_settings using (name)
     where context = 'user' or has_parameter_privilege('authenticator', name, 'set')
     group by role`,
  );
  return new Map(
    rows.map(({ role, settings: { default_transaction_isolation: isolation, ...settings } }) => [
      role,
      { isolation, settings },
    ]),
  );
}
