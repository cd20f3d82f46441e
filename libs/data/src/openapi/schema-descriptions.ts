import type { Project } from '#libs/platform';
import type { SchemaCache } from '../schema-cache/schema-cache.js';
import { describeTables } from './describe-tables.sql.js';
import type { SchemaDescription } from './schema-description.js';

/** Descriptions of the schemas of a snapshot, made when they are first asked for: planning requests needs none. */
const descriptions = new WeakMap<SchemaCache, Map<string, Promise<SchemaDescription>>>();

/** The description of `schema` as long as `cache` is in use. */
export function schemaDescription(
  project: Project,
  cache: SchemaCache,
  schema: string,
): Promise<SchemaDescription> {
  const ofCache = descriptions.get(cache) ?? new Map<string, Promise<SchemaDescription>>();
  descriptions.set(cache, ofCache);
  const known = ofCache.get(schema);
  if (known) return known;
  const made = project.database.asSystem(async (tx) => {
    await tx.query('set transaction isolation level repeatable read, read only');
    await tx.query(`set local search_path = ''`);
    return describeTables(tx, schema, cache);
  });
  made.catch(() => ofCache.delete(schema));
  ofCache.set(schema, made);
  return made;
}
