import type { Project } from '#libs/platform';
import { pgrstError } from '../errors.js';
import { findTable } from '../plan/make-plan.js';
import { resolvePath, resolveSchema } from '../request/target.js';
import type { HttpResponse } from '../response/http-response.js';
import { projectSchema } from '../schema-cache/project-schema.js';
import { nameKey, type Table } from '../schema-cache/schema-cache.js';
import type { Execution } from './execute.js';
import type { ServerTiming } from './server-timing.js';

/**
 * Tells which methods a path takes: what can be done with the table, view or function, not what the caller may do
 * (postgrest.org, "OPTIONS method").
 * @throws AppError PGRST125, PGRST202, PGRST205 when there is no such thing
 */
export async function answerOptions(execution: Execution, timing: ServerTiming): Promise<HttpResponse> {
  const response = {
    status: 200,
    headers: {
      allow: await allowedMethods(execution, timing),
      'access-control-allow-origin': '*',
      'content-length': '0',
    },
    body: undefined,
  };
  timing.end('response');
  return response;
}

async function allowedMethods({ http, project, settings }: Execution, timing: ServerTiming): Promise<string> {
  if (http.path === '') return 'OPTIONS,GET,HEAD';
  const { isFunction, target } = resolvePath(http.path);
  const { schema } = resolveSchema(http, settings);
  timing.end('parse');
  const key = nameKey(schema, target);
  const kept = projectSchema(project);
  const current = await kept.current(settings);
  const isKnown = (isFunction ? current.functions : current.tables).has(key);
  const cache = isKnown ? current : await kept.newerThan(current);
  timing.end('plan');
  if (!isFunction) return tableMethods(project, findTable(cache, { schema, target }));
  const called = cache.functions.get(key)?.[0];
  if (called) return called.isVolatile ? 'OPTIONS,POST' : 'OPTIONS,GET,HEAD,POST';
  throw pgrstError('PGRST202', {
    message: `Could not find the function ${schema}.${target} without parameters in the schema cache`,
    details: `Searched for the function ${schema}.${target} without parameters, but no matches were found in the schema cache.`,
  });
}

async function tableMethods({ database }: Project, { schema, name, primaryKey }: Table): Promise<string> {
  const { rows } = await database.query<{ events: number }>(
    `select case when c.relkind in ('r', 'p') then 28 when c.relkind = 'm' then 0
       else pg_relation_is_updatable(c.oid, true) end as events
     from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1 and c.relname = $2`,
    [schema, name],
  );
  // Bits of PostgreSQL's CmdType.
  const can = (bit: number) => ((rows[0]?.events ?? 0) & bit) !== 0;
  const [update, insert, remove] = [can(4), can(8), can(16)];
  return [
    'OPTIONS,GET,HEAD',
    ...(insert ? ['POST'] : []),
    ...(insert && update && primaryKey.length > 0 ? ['PUT'] : []),
    ...(update ? ['PATCH'] : []),
    ...(remove ? ['DELETE'] : []),
  ].join(',');
}
