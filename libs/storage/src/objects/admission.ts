import type { Sql } from '#libs/platform';
import { findBucket, type Bucket } from '../buckets/buckets.sql.js';
import { bucketNotFound, mimeTypeNotAllowed, tooLarge } from '../errors.js';
import { limits } from '../limits.js';
import { isAllowedMimeType } from '../mime-types.js';

/** Supabase's dashboard makes a folder by uploading this, empty and of any type. */
const folderPlaceholder = /(^|\/)\.emptyFolderPlaceholder$/;

/** What a bucket takes under one name. */
export interface Admission {
  readonly maxBytes: number;
}

/**
 * Asks the bucket whether an object may be put into it at all, whoever puts it. What is undefined is not known yet.
 * @throws AppError `NoSuchBucket`, `InvalidMimeType`, `EntityTooLarge`
 */
export async function requireAdmission(
  sql: Sql,
  object: { bucket: string; name: string; mimeType: string | undefined; sizeBytes: number | undefined },
): Promise<Admission> {
  const bucket = await findBucket(sql, object.bucket);
  if (!bucket) throw bucketNotFound();
  const admission = admissionOf(bucket, object.name, object.mimeType);
  if (object.sizeBytes !== undefined && object.sizeBytes > admission.maxBytes) throw tooLarge();
  return admission;
}

function admissionOf(bucket: Bucket, name: string, mimeType: string | undefined): Admission {
  if (folderPlaceholder.test(name)) return { maxBytes: 0 };
  if (mimeType !== undefined && !isAllowedMimeType(mimeType, bucket.allowed_mime_types))
    throw mimeTypeNotAllowed(mimeType);
  return { maxBytes: Math.min(bucket.file_size_limit ?? Infinity, limits.objectBytes) };
}
