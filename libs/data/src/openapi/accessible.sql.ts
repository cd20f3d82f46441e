import type { Sql } from '#libs/platform';
import { inputParameters, isCallable } from '../schema-cache/callable-functions.sql.js';
import type { DescribedFunction } from './schema-description.js';

/** Names of the tables and views of `schema` on which the role of the transaction has any right. */
export async function accessibleTables(tx: Sql, schema: string): Promise<Set<string>> {
  const { rows } = await tx.query<{ name: string }>(
    `select c.relname as name
     from pg_catalog.pg_class c
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname = $1 and (
       pg_has_role(c.relowner, 'usage')
       or has_table_privilege(c.oid, 'select, insert, update, delete, truncate, references, trigger')
       or has_any_column_privilege(c.oid, 'select, insert, update, references'))`,
    [schema],
  );
  return new Set(rows.map((row) => row.name));
}

/**
 * Functions of `schema` that can be called by name, of overloads the one with the most parameters last.
 * @param all  also those that the role of the transaction may not execute
 */
export async function describeFunctions(tx: Sql, schema: string, all: boolean): Promise<DescribedFunction[]> {
  const { rows } = await tx.query<DescribedFunction>(functionsText, [schema, all]);
  return rows;
}

const functionsText = `
  select p.proname as name, obj_description(p.oid, 'pg_proc') as comment, p.provolatile = 'v' as "isVolatile",
    input.parameters
  from pg_catalog.pg_proc p
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  cross join ${inputParameters('null')}
  where n.nspname = $1 and ${isCallable}
    and ($2 or has_function_privilege(p.oid, 'execute'))
  order by p.proname, p.pronargs, p.oid`;
