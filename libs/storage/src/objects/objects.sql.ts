import type { Sql } from '#libs/platform';
import { ownerUuid } from '../buckets/buckets.sql.js';

/** `storage.objects.metadata` as an upload writes it; rows made by hand may lack any of it. */
interface ObjectMetadata {
  readonly eTag?: string;
  readonly size?: number;
  readonly mimetype?: string;
  readonly cacheControl?: string;
  /** ISO 8601. */
  readonly lastModified?: string;
  readonly contentLength?: number;
  readonly httpStatusCode?: number;
}

/** A row of `storage.objects` as the API answers it. */
export interface ObjectRow {
  readonly id: string;
  readonly bucket_id: string;
  readonly name: string;
  readonly owner: string | null;
  readonly owner_id: string | null;
  readonly version: string | null;
  readonly metadata: ObjectMetadata | null;
  readonly user_metadata: Record<string, unknown> | null;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly last_accessed_at: Date;
}

const columns = `id, bucket_id, name, owner, owner_id, version, metadata, user_metadata,
  created_at, updated_at, last_accessed_at`;

/** A row to be written. */
export interface NewObject {
  readonly bucket: string;
  readonly name: string;
  readonly ownerId: string | null;
  readonly version: string;
  readonly metadata: ObjectMetadata;
  readonly userMetadata: Record<string, unknown>;
}

/**
 * Writes an object's row. Nothing is returned: without `upsert` an INSERT policy is all the caller needs, with it
 * also SELECT and UPDATE, as Supabase documents.
 */
export async function writeObject(sql: Sql, object: NewObject, upsert: boolean): Promise<void> {
  const onConflict = upsert
    ? `on conflict (bucket_id, name) do update set
         metadata = excluded.metadata, user_metadata = excluded.user_metadata, version = excluded.version,
         owner = excluded.owner, owner_id = excluded.owner_id`
    : '';
  await sql.query(
    `insert into storage.objects (bucket_id, name, owner, owner_id, version, metadata, user_metadata)
     values ($1, $2, $3, $4, $5, $6, $7) ${onConflict}`,
    [
      object.bucket,
      object.name,
      ownerUuid(object.ownerId),
      object.ownerId,
      object.version,
      JSON.stringify(object.metadata),
      JSON.stringify(object.userMetadata),
    ],
  );
}

/**
 * Makes whoever else is about to write this name wait until the transaction ends. A row lock cannot: the first
 * upload of a name has no row yet.
 */
export async function lockObjectName(tx: Sql, bucket: string, name: string): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('storage.objects/' || $1, 0))`, [
    `${bucket}/${name}`,
  ]);
}

export async function findObject(sql: Sql, bucket: string, name: string): Promise<ObjectRow | undefined> {
  const { rows } = await sql.query<ObjectRow>(
    `select ${columns} from storage.objects where bucket_id = $1 and name = $2`,
    [bucket, name],
  );
  return rows[0];
}

/** A bucket's openness and an object of it in one round trip; the object may be missing. */
export async function findPublicly(
  sql: Sql,
  bucket: string,
  name: string,
): Promise<{ isPublic: boolean; object: ObjectRow | undefined } | undefined> {
  const objectColumns = columns.replace(/(\w+)/g, 'o.$1');
  const { rows } = await sql.query<ObjectRow & { is_public: boolean }>(
    `select coalesce(b.public, false) as is_public, ${objectColumns}
     from storage.buckets b left join storage.objects o on o.bucket_id = b.id and o.name = $2
     where b.id = $1`,
    [bucket, name],
  );
  const row = rows[0];
  if (!row) return undefined;
  const { is_public: isPublic, ...object } = row;
  return { isPublic, object: object.id === null ? undefined : object };
}

/** An object's row with all its columns as PostgreSQL writes them in JSON, for events. */
export async function objectRecord(
  tx: Sql,
  bucket: string,
  name: string,
): Promise<{ id: string; record: Record<string, unknown> } | undefined> {
  const { rows } = await tx.query<{ id: string; record: Record<string, unknown> }>(
    'select id, to_jsonb(o) as record from storage.objects o where bucket_id = $1 and name = $2',
    [bucket, name],
  );
  return rows[0];
}

/** Which of `names` the caller may read. */
export async function readableNames(
  sql: Sql,
  bucket: string,
  names: readonly string[],
): Promise<Set<string>> {
  const { rows } = await sql.query<{ name: string }>(
    'select name from storage.objects where bucket_id = $1 and name = any($2)',
    [bucket, names],
  );
  return new Set(rows.map((row) => row.name));
}

/** Deletes the rows the caller may delete; each is returned also as it is to be told in an event. */
export async function deleteObjects(
  sql: Sql,
  bucket: string,
  names: readonly string[],
): Promise<{ object: ObjectRow; record: Record<string, unknown> }[]> {
  const { rows } = await sql.query<ObjectRow & { record: Record<string, unknown> }>(
    `delete from storage.objects where bucket_id = $1 and name = any($2)
     returning ${columns}, to_jsonb(objects) as record`,
    [bucket, names],
  );
  return rows.map(({ record, ...object }) => ({ object, record }));
}

/** Gives an object another place; its version, and so its bytes, stay. Returns whether there was one to move. */
export async function moveObjectRow(
  sql: Sql,
  from: { bucket: string; name: string },
  to: { bucket: string; name: string },
): Promise<boolean> {
  const { rowCount } = await sql.query(
    'update storage.objects set bucket_id = $3, name = $4 where bucket_id = $1 and name = $2',
    [from.bucket, from.name, to.bucket, to.name],
  );
  return rowCount > 0;
}

/** Which of `versions` some row still names. */
export async function knownVersions(sql: Sql, versions: readonly string[]): Promise<Set<string>> {
  const { rows } = await sql.query<{ version: string }>(
    'select version from storage.objects where version = any($1)',
    [versions],
  );
  return new Set(rows.map((row) => row.version));
}

/** Of all objects together; rows that came by SQL may say anything of their size. */
export async function bytesStored(sql: Sql): Promise<number> {
  const { rows } = await sql.query<{ bytes: string }>(
    `select coalesce(sum((metadata ->> 'size')::numeric), 0) as bytes from storage.objects
     where metadata ->> 'size' ~ '^\\d{1,15}$'`,
  );
  return Number(rows[0]!.bytes);
}
