import { AppError, sqlStateOf, type Logger, type RequestContext } from '#libs/platform';
import { requestSettings, type Operation } from '../operation.js';
import { isVersion, objectKey } from '../bytes/object-key.js';
import type { ObjectBytes } from '../bytes/object-bytes.js';
import { appendObjectEvent } from './object-events.js';
import { lockObjectName, objectRecord, writeObject, type NewObject } from './objects.sql.js';

/**
 * Makes stored bytes an object: its row, written as the caller so that the policies decide, and `object.created`,
 * or `object.updated`, are committed together. Two commits of one name wait for each other; the last one wins and takes the bytes of
 * the one before away.
 *
 * @returns the object's id
 * @throws what PostgreSQL answers; the bytes are removed unless the commit may have happened all the same
 */
export async function commitVersion(
  context: RequestContext,
  bytes: ObjectBytes,
  logger: Logger,
  commit: { operation: Operation; object: NewObject; upsert: boolean },
): Promise<string> {
  const { object, operation, upsert } = commit;
  const { project, caller } = context;
  try {
    const { id, replaced } = await project.database.asSystem(async (tx) => {
      // One after the other in the database, but sent together: none needs the result of the one before.
      const [, before] = await Promise.all([
        lockObjectName(tx, object.bucket, object.name),
        objectRecord(tx, object.bucket, object.name),
        tx.asCaller(caller, requestSettings(context, operation), (own) => writeObject(own, object, upsert)),
      ]);
      const written = (await objectRecord(tx, object.bucket, object.name))!;
      const { record } = written;
      await appendObjectEvent(
        tx,
        context,
        before
          ? { name: 'object.updated', record, oldRecord: before.record }
          : { name: 'object.created', record },
      );
      return { id: written.id, replaced: before?.record['version'] };
    });
    if (isVersion(replaced)) await removeVersions(context, bytes, logger, [replaced]);
    return id;
  } catch (error) {
    if (isRolledBack(error)) await removeVersions(context, bytes, logger, [object.version]);
    throw error;
  }
}

/** Removes the bytes of versions that no row names any more. What fails here the sweep does later. */
export async function removeVersions(
  context: RequestContext,
  bytes: ObjectBytes,
  logger: Logger,
  versions: readonly string[],
): Promise<void> {
  try {
    await bytes.remove(versions.map((version) => objectKey(context.project.ref, version)));
  } catch (err) {
    logger.warn({ err, requestId: context.requestId, versions }, 'bytes left for the sweep');
  }
}

/**
 * Whether PostgreSQL surely did not commit. When the connection broke (08…) or the server went down (57P…) it may
 * have, and a row must never be without its bytes: then they stay, and the sweep finds out.
 */
function isRolledBack(error: unknown): boolean {
  if (error instanceof AppError) return true;
  const sqlState = sqlStateOf(error);
  return sqlState !== undefined && !/^(?:08|57P)/.test(sqlState);
}
