import type { Project } from '#libs/platform';
import { loadComputedRelationships } from './computed-relationships.sql.js';
import { loadDomains, withDomains } from './domains.sql.js';
import { loadFunctions } from './functions.sql.js';
import { foreignKeysOf } from './foreign-keys.js';
import { loadKeyConstraints } from './key-constraints.sql.js';
import { loadMediaHandlers } from './media-handlers.sql.js';
import { primaryKeysOf } from './primary-keys.js';
import { relationshipsOf } from './relationships.js';
import type { SchemaCache, SchemaVersion } from './schema-cache.js';
import { loadTables } from './tables.sql.js';
import { loadViewColumns } from './views.sql.js';

/** Reads what the catalogues of a project's database say of `schemas`, in one snapshot. */
export async function loadSchemaCache(project: Project, schemas: readonly string[]): Promise<SchemaCache> {
  // Before the snapshot: a change that is counted and not seen would be missed.
  const version = await readSchemaVersion(project.database);
  return project.database.asSystem(async (tx) => {
    await tx.query('set transaction isolation level repeatable read, read only');
    // With nothing on the path PostgreSQL writes every name of a type or default with its schema.
    await tx.query(`set local search_path = ''`);
    const constraints = await loadKeyConstraints(tx);
    const viewColumns = await loadViewColumns(tx, schemas);
    const primaryKeys = primaryKeysOf(constraints, viewColumns);
    const tables = withDomains(await loadTables(tx, schemas, primaryKeys), await loadDomains(tx));
    const computed = await loadComputedRelationships(tx, schemas);
    const functions = await loadFunctions(tx, schemas);
    const mediaHandlers = await loadMediaHandlers(tx, schemas);
    return {
      schemas,
      tables,
      relationships: relationshipsOf({ keys: foreignKeysOf(constraints), viewColumns, computed }, schemas),
      functions,
      mediaHandlers,
      version,
    };
  });
}

/** What an event trigger has counted, and whether some of it is on its way still. */
export async function readSchemaVersion(sql: Pick<Project['database'], 'query'>): Promise<SchemaVersion> {
  const { rows } = await sql.query<SchemaVersion>(
    `select last_value::text as changes, exists (
       select from pg_locks
       where locktype = 'advisory' and objsubid = 1 and mode = 'ShareLock'
         and database = (select oid from pg_database where datname = current_database())
         and (classid::bigint << 32) + objid::bigint = 'galley.schema_changes'::regclass::oid::bigint
     ) as "isChanging"
     from galley.schema_changes`,
  );
  return rows[0]!;
}
