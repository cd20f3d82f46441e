import { newId, type Logger, type RequestContext } from '#libs/platform';
import { callerReads } from '../operation.js';
import { objectKey } from '../bytes/object-key.js';
import type { ObjectBytes } from '../bytes/object-bytes.js';
import { objectNotFound } from '../errors.js';
import type { ObjectAddress } from '../names.js';
import { requireAdmission } from './admission.js';
import { askPolicies } from './ask-policies.js';
import { commitVersion } from './commit-version.js';
import { findObject, writeObject, type ObjectRow } from './objects.sql.js';
import { withCurrentVersion } from './open-version.js';

export interface Copy {
  readonly from: ObjectAddress;
  readonly to: ObjectAddress;
  readonly upsert: boolean;
  /** Replaces the source's own. */
  readonly userMetadata: Record<string, unknown> | undefined;
}

/**
 * Makes a new object of another's bytes, which the caller must be allowed to read.
 *
 * @returns the new object's id
 * @throws AppError `NoSuchBucket`, `NoSuchKey`, `InvalidMimeType`, `EntityTooLarge`; SQLSTATE 42501, 23505
 */
export async function copyObject(
  context: RequestContext,
  bytes: ObjectBytes,
  logger: Logger,
  copy: Copy,
): Promise<string> {
  const { project, caller } = context;
  const operation = 'storage.object.copy';
  const find = async () => {
    const found = await findObject(callerReads(context, operation), copy.from.bucket, copy.from.name);
    if (!found) throw objectNotFound();
    return found;
  };
  return withCurrentVersion(find, async (source, sourceVersion) => {
    const version = newId();
    const object = { ...copy.to, ...copiedFields(source, copy), ownerId: caller.userId, version };
    await requireAdmission(project.database, {
      ...copy.to,
      mimeType: object.metadata.mimetype ?? 'application/octet-stream',
      sizeBytes: object.metadata.size,
    });
    await askPolicies(context, operation, (tx) => writeObject(tx, object, copy.upsert));
    await bytes.copy(objectKey(project.ref, sourceVersion), objectKey(project.ref, version));
    return commitVersion(context, bytes, logger, { operation, object, upsert: copy.upsert });
  });
}

function copiedFields(source: ObjectRow, copy: Copy) {
  return {
    metadata: { ...source.metadata, lastModified: new Date().toISOString() },
    userMetadata: copy.userMetadata ?? source.user_metadata ?? {},
  };
}
