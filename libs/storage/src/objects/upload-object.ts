import { newId, type Logger, type RequestContext } from '#libs/platform';
import type { Operation } from '../operation.js';
import { objectKey } from '../bytes/object-key.js';
import type { ObjectBytes } from '../bytes/object-bytes.js';
import { requireAdmission } from './admission.js';
import { askPolicies } from './ask-policies.js';
import { commitVersion } from './commit-version.js';
import { writeObject } from './objects.sql.js';
import type { UploadBody } from './upload-body.js';

export interface Upload {
  readonly bucket: string;
  readonly name: string;
  /** Whether an object of that name may be replaced. */
  readonly upsert: boolean;
  readonly ownerId: string | null;
  readonly operation: Operation;
  readonly body: UploadBody;
}

/**
 * Stores the bytes of `upload.body` as a new version of an object, then commits its row and `object.created`
 * together. Nothing is visible before that commit. The policies are asked twice: at first, so that a forbidden
 * upload stores nothing, and by the commit, which decides.
 *
 * @returns the object's id
 * @throws AppError `NoSuchBucket`, `InvalidMimeType`, `EntityTooLarge`; SQLSTATE 42501 when a policy refuses,
 *   23505 when the name is taken
 * @see https://supabase.com/docs/reference/javascript/storage-from-upload
 */
export async function uploadObject(
  context: RequestContext,
  bytes: ObjectBytes,
  logger: Logger,
  upload: Upload,
): Promise<string> {
  const { bucket, name, upsert, ownerId, operation, body } = upload;
  const { project } = context;
  const { mimeType, declaredBytes } = body;
  const { maxBytes } = await requireAdmission(project.database, {
    bucket,
    name,
    mimeType,
    sizeBytes: declaredBytes,
  });
  const version = newId();
  const object = { bucket, name, ownerId, version, userMetadata: {} };
  const declared = declaredBytes === undefined ? {} : { size: declaredBytes, contentLength: declaredBytes };
  await askPolicies(context, operation, (tx) =>
    writeObject(tx, { ...object, metadata: { mimetype: mimeType, ...declared } }, upsert),
  );

  const stored = await bytes.write(objectKey(project.ref, version), body.chunks, maxBytes);

  const { cacheControl, userMetadata } = body.fields();
  const metadata = {
    eTag: `"${stored.sha256}"`,
    size: stored.sizeBytes,
    mimetype: mimeType,
    cacheControl,
    lastModified: new Date().toISOString(),
    contentLength: stored.sizeBytes,
    httpStatusCode: 200,
  };
  return commitVersion(context, bytes, logger, {
    operation,
    upsert,
    object: { ...object, metadata, userMetadata },
  });
}
