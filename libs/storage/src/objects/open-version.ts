import { BytesMissing } from '../bytes/object-bytes.js';
import { isVersion } from '../bytes/object-key.js';
import { objectNotFound } from '../errors.js';
import { limits } from '../limits.js';
import type { ObjectRow } from './objects.sql.js';

/**
 * Finds an object and lets `use` read its version. Between the row and its bytes the object may be replaced and
 * the old bytes be gone; then the new row is looked up.
 *
 * @throws AppError `NoSuchKey` when the row names bytes that are not there
 */
export async function withCurrentVersion<T>(
  find: () => Promise<ObjectRow>,
  use: (object: ObjectRow, version: string) => Promise<T>,
): Promise<T> {
  let triedVersion: string | null = null;
  for (let attempt = 1; attempt <= limits.readAttempts; attempt++) {
    const object = await find();
    if (!isVersion(object.version) || object.version === triedVersion) break;
    triedVersion = object.version;
    try {
      return await use(object, object.version);
    } catch (error) {
      if (!(error instanceof BytesMissing)) throw error;
    }
  }
  throw objectNotFound();
}
