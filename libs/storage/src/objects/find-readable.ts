import type { RequestContext } from '#libs/platform';
import { callerReads, type Operation } from '../operation.js';
import { bucketNotFound, objectNotFound } from '../errors.js';
import type { ObjectAddress } from '../names.js';
import { findObject, findPublicly, type ObjectRow } from './objects.sql.js';

/**
 * The object that a caller asks for with a key or token: a public bucket's to anyone, another's where the SELECT
 * policies show it.
 * @throws AppError `NoSuchBucket`, `NoSuchKey`
 */
export async function findReadable(
  context: RequestContext,
  operation: Operation,
  { bucket, name }: ObjectAddress,
): Promise<ObjectRow> {
  const found = await findPublicly(context.project.database, bucket, name);
  if (!found || (context.caller.kind === 'keyless' && !found.isPublic)) throw bucketNotFound();
  if (!found.object) throw objectNotFound();
  if (found.isPublic) return found.object;
  const visible = await findObject(callerReads(context, operation), bucket, name);
  if (!visible) throw objectNotFound();
  return visible;
}

/**
 * The object at a public URL; no policy is asked.
 * @throws AppError `NoSuchBucket` also when the bucket is not public, `NoSuchKey`
 */
export async function findPublic(
  context: RequestContext,
  { bucket, name }: ObjectAddress,
): Promise<ObjectRow> {
  const found = await findPublicly(context.project.database, bucket, name);
  if (!found?.isPublic) throw bucketNotFound();
  if (!found.object) throw objectNotFound();
  return found.object;
}

/**
 * The object that a signed URL names; who signed it was allowed to read it.
 * @throws AppError `NoSuchKey`
 */
export async function findSigned(
  context: RequestContext,
  { bucket, name }: ObjectAddress,
): Promise<ObjectRow> {
  const object = await findObject(context.project.database, bucket, name);
  if (!object) throw objectNotFound();
  return object;
}
