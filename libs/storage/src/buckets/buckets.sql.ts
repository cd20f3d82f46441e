import type { Sql } from '#libs/platform';
import { limits } from '../limits.js';

/** A row of `storage.buckets` as the API answers it. */
export interface Bucket {
  readonly id: string;
  readonly name: string;
  readonly owner: string | null;
  readonly public: boolean;
  readonly type: string;
  readonly file_size_limit: number | null;
  readonly allowed_mime_types: string[] | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

// A bigint would arrive as text; a size limit is far below what a double holds exactly.
const columns = `id, name, coalesce(owner_id, owner::text, '') as owner, coalesce(public, false) as public, type,
  file_size_limit::float8 as file_size_limit, allowed_mime_types, created_at, updated_at`;

export async function findBucket(sql: Sql, id: string): Promise<Bucket | undefined> {
  const { rows } = await sql.query<Bucket>(`select ${columns} from storage.buckets where id = $1`, [id]);
  return rows[0];
}

export interface BucketListing {
  readonly limit: number;
  readonly offset: number;
  readonly search: string;
  readonly sortColumn: 'id' | 'name' | 'created_at' | 'updated_at';
  readonly sortOrder: 'asc' | 'desc';
}

export async function listBuckets(sql: Sql, listing: BucketListing): Promise<Bucket[]> {
  const { rows } = await sql.query<Bucket>(
    `select ${columns} from storage.buckets where strpos(lower(name), lower($3)) > 0 or $3 = ''
     order by ${listing.sortColumn} ${listing.sortOrder} limit $1 offset $2`,
    [listing.limit, listing.offset, listing.search],
  );
  return rows;
}

/** The settings of a bucket that a request may choose. Undefined leaves one as it is. */
export interface BucketSettings {
  readonly public?: boolean | undefined;
  /** Bytes. Null: only the server's own limit. */
  readonly fileSizeLimit?: number | null | undefined;
  readonly allowedMimeTypes?: readonly string[] | null | undefined;
}

export async function insertBucket(
  sql: Sql,
  bucket: BucketSettings & { id: string; name: string; ownerId: string | null },
): Promise<void> {
  await sql.query(
    `insert into storage.buckets (id, name, owner, owner_id, public, file_size_limit, allowed_mime_types)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [
      bucket.id,
      bucket.name,
      ownerUuid(bucket.ownerId),
      bucket.ownerId,
      bucket.public ?? false,
      bucket.fileSizeLimit ?? null,
      bucket.allowedMimeTypes ?? null,
    ],
  );
}

/** Returns whether a row was updated. */
export async function updateBucket(sql: Sql, id: string, settings: BucketSettings): Promise<boolean> {
  const { rowCount } = await sql.query(
    `update storage.buckets set
       public = case when $2 then $3 else public end,
       file_size_limit = case when $4 then $5 else file_size_limit end,
       allowed_mime_types = case when $6 then $7 else allowed_mime_types end
     where id = $1`,
    [
      id,
      settings.public !== undefined,
      settings.public ?? null,
      settings.fileSizeLimit !== undefined,
      settings.fileSizeLimit ?? null,
      settings.allowedMimeTypes !== undefined,
      settings.allowedMimeTypes ?? null,
    ],
  );
  return rowCount > 0;
}

export async function hasObjects(sql: Sql, bucketId: string): Promise<boolean> {
  const { rows } = await sql.query('select from storage.objects where bucket_id = $1 limit 1', [bucketId]);
  return rows.length > 0;
}

/** Returns whether a row was deleted. */
export async function deleteBucket(sql: Sql, id: string): Promise<boolean> {
  return (await sql.query('delete from storage.buckets where id = $1', [id])).rowCount > 0;
}

/** Names of objects that the caller sees in a bucket, for emptying it. */
export async function someObjectNames(sql: Sql, bucketId: string): Promise<string[]> {
  const { rows } = await sql.query<{ name: string }>(
    `select name from storage.objects where bucket_id = $1 order by name limit ${limits.removedObjects}`,
    [bucketId],
  );
  return rows.map((row) => row.name);
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The deprecated `owner` column holds an owner only where that is a UUID. */
export function ownerUuid(ownerId: string | null): string | null {
  return ownerId !== null && uuid.test(ownerId) ? ownerId : null;
}
