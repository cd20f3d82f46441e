import type { Project } from '#libs/platform';
import { exposedSchemas } from '../exposed-schemas.js';
import { loadFunctions } from './functions.sql.js';
import { loadForeignKeys } from './keys.sql.js';
import { relationshipsOf } from './relationships.js';
import type { SchemaCache } from './schema-cache.js';
import { loadTables } from './tables.sql.js';
import { loadViewColumns } from './views.sql.js';

/** Reads the catalogues of a project's database in one snapshot. */
export async function loadSchemaCache(project: Project): Promise<SchemaCache> {
  return project.database.asSystem(async (tx) => {
    await tx.query('set transaction isolation level repeatable read, read only');
    // With nothing on the path PostgreSQL writes every name of a type or default with its schema.
    await tx.query(`set local search_path = ''`);
    const version = await readSchemaVersion(tx);
    const tables = await loadTables(tx, exposedSchemas);
    const keys = await loadForeignKeys(tx);
    const viewColumns = await loadViewColumns(tx, exposedSchemas);
    const functions = await loadFunctions(tx, exposedSchemas);
    return { tables, relationships: relationshipsOf(keys, viewColumns, exposedSchemas), functions, version };
  });
}

/** The number of schema changes so far, counted by an event trigger. */
export async function readSchemaVersion(sql: Pick<Project['database'], 'query'>): Promise<string> {
  const { rows } = await sql.query<{ version: string }>(
    'select last_value::text as version from galley.schema_changes',
  );
  return rows[0]!.version;
}
