import type { Logger, RequestContext } from '#libs/platform';
import { callerReads } from '../operation.js';
import type { ObjectBytes } from '../bytes/object-bytes.js';
import { bucketNotFound, invalidRequest } from '../errors.js';
import { limits } from '../limits.js';
import { removeObjects } from '../objects/remove-objects.js';
import { findBucket, someObjectNames } from './buckets.sql.js';

/**
 * Removes every object of a bucket that the caller may read and remove, a page at a time, each with its event.
 * @throws AppError `NoSuchBucket`; `InvalidRequest` when there are more than one call removes
 */
export async function emptyBucket(
  context: RequestContext,
  bytes: ObjectBytes,
  logger: Logger,
  bucket: string,
): Promise<void> {
  const operation = 'storage.bucket.empty';
  const reads = callerReads(context, operation);
  if (!(await findBucket(reads, bucket))) throw bucketNotFound();
  let emptied = 0;
  while (emptied < limits.emptiedObjects) {
    const names = await someObjectNames(reads, bucket);
    if (names.length === 0) return;
    const removed = await removeObjects(context, bytes, logger, { bucket, names, operation });
    // What the caller sees but may not remove would come again on the next page.
    if (removed.length === 0) return;
    emptied += removed.length;
  }
  throw invalidRequest(`${limits.emptiedObjects} objects were removed and there are more; empty it again`);
}
