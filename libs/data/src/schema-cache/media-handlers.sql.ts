import type { Sql } from '#libs/platform';
import { contentType, mediaTypeName, parseMediaType } from '../request/media-type.js';
import { nameKey, type MediaHandler, type MediaHandlers, type QualifiedName } from './schema-cache.js';

interface Row extends QualifiedName {
  media_type: string;
  kind: 'aggregate' | 'function';
  row_schema: string | null;
  row_name: string | null;
  is_binary: boolean;
}

/**
 * Media type handlers in `schemas`: functions that return a domain named after a media type, and aggregates that do.
 */
export async function loadMediaHandlers(tx: Sql, schemas: readonly string[]): Promise<MediaHandlers> {
  const { rows } = await tx.query<Row>(text, [schemas]);
  const ofTables = new Map<string, Map<string, MediaHandler>>();
  const ofFunctions = new Map<string, Map<string, MediaHandler>>();
  const ofAnything = new Map<string, MediaHandler>();
  for (const row of rows) {
    const { schema, name, row_schema: rowSchema, row_name: rowName } = row;
    const rowType = rowName === null ? undefined : { schema: rowSchema!, name: rowName };
    const handler = {
      aggregate: row.kind === 'aggregate' ? { schema, name } : undefined,
      rowType,
      contentType: contentTypeOf(row.media_type),
      isBinary: row.is_binary,
    };
    const type = mediaTypeName(parseMediaType(row.media_type));
    if (row.kind === 'function') add(ofFunctions, { schema, name }, type, handler);
    else if (rowType) add(ofTables, rowType, type, handler);
    else ofAnything.set(type, handler);
  }
  return { ofTables, ofAnything, ofFunctions };
}

function contentTypeOf(mediaType: string): string {
  return contentType(parseMediaType(mediaType === '*/*' ? 'application/octet-stream' : mediaType));
}

function add(
  handlers: Map<string, Map<string, MediaHandler>>,
  { schema, name }: QualifiedName,
  mediaType: string,
  handler: MediaHandler,
): void {
  const key = nameKey(schema, name);
  const ofOne = handlers.get(key) ?? new Map<string, MediaHandler>();
  handlers.set(key, ofOne.set(mediaType, handler));
}

// Names of media types have one slash and no parameters (RFC 6838 §4.2). A domain may be over another domain.
const text = `
  with recursive domain (oid, name, base) as (
    select oid, lower(typname), typbasetype
    from pg_catalog.pg_type
    where typtype = 'd' and (typname ~* '^[a-z0-9.-]+/[a-z0-9.+-]+$' or typname = '*/*')
    union all
    select domain.oid, domain.name, t.typbasetype
    from domain join pg_catalog.pg_type t on t.oid = domain.base
    where t.typtype = 'd'
  ),
  media_type as (
    select domain.oid, domain.name, t.oid = 'pg_catalog.bytea'::regtype as is_binary
    from domain join pg_catalog.pg_type t on t.oid = domain.base
    where t.typtype <> 'd'
  )
  select n.nspname as schema, p.proname as name, media_type.name as media_type,
    case p.prokind when 'a' then 'aggregate' else 'function' end as kind,
    row_schema.nspname as row_schema, row_type.relname as row_name, media_type.is_binary
  from media_type
  join pg_catalog.pg_proc p on p.prorettype = media_type.oid
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  left join pg_catalog.pg_class row_type on row_type.reltype = p.proargtypes[0] and p.prokind = 'a'
  left join pg_catalog.pg_namespace row_schema on row_schema.oid = row_type.relnamespace
  where n.nspname = any($1) and not p.proretset and case p.prokind
    when 'f' then true
    when 'a' then p.pronargs = 1
      and (row_type.oid is not null or p.proargtypes[0] = 'pg_catalog.anyelement'::regtype)
    else false end`;
