import type { ObjectRow } from './objects.sql.js';

/** The answer of `GET /object/info/…`. */
export function objectInfo(object: ObjectRow): object {
  const { id, name, version, bucket_id, metadata, user_metadata, updated_at, created_at } = object;
  return {
    id,
    name,
    version,
    bucket_id,
    size: metadata?.size ?? null,
    content_type: metadata?.mimetype ?? null,
    cache_control: metadata?.cacheControl ?? null,
    etag: metadata?.eTag ?? null,
    metadata: user_metadata,
    last_modified: updated_at,
    created_at,
  };
}
