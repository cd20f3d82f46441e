import type { RequestContext } from '#libs/platform';
import { requestSettings } from '../operation.js';
import { objectNotFound } from '../errors.js';
import type { ObjectAddress } from '../names.js';
import { requireAdmission } from './admission.js';
import { appendObjectEvent } from './object-events.js';
import { findObject, lockObjectName, moveObjectRow, objectRecord } from './objects.sql.js';

/**
 * Gives an object another name or bucket. No bytes are touched: the key of a version does not depend on its name.
 * One event, `object.moved`, tells of both places.
 *
 * @returns the object's id
 * @throws AppError `NoSuchBucket`, `NoSuchKey`, `InvalidMimeType`, `EntityTooLarge`; SQLSTATE 42501, 23505
 */
export async function moveObject(
  context: RequestContext,
  from: ObjectAddress,
  to: ObjectAddress,
): Promise<string> {
  const { project, caller } = context;
  return project.database.asSystem(async (tx) => {
    // Always in the same order, so that two opposite moves do not wait for each other.
    for (const { bucket, name } of [from, to].toSorted(byAddress)) await lockObjectName(tx, bucket, name);
    const before = await objectRecord(tx, from.bucket, from.name);
    const object = await findObject(tx, from.bucket, from.name);
    if (!before || !object) throw objectNotFound();
    await requireAdmission(tx, {
      ...to,
      mimeType: object.metadata?.mimetype ?? 'application/octet-stream',
      sizeBytes: object.metadata?.size,
    });
    const moved = await tx.asCaller(caller, requestSettings(context, 'storage.object.move'), (own) =>
      moveObjectRow(own, from, to),
    );
    if (!moved) throw objectNotFound();
    if (byAddress(from, to) !== 0) {
      const { record } = (await objectRecord(tx, to.bucket, to.name))!;
      await appendObjectEvent(tx, context, { name: 'object.moved', record, oldRecord: before.record, from });
    }
    return before.id;
  });
}

function byAddress(a: ObjectAddress, b: ObjectAddress): number {
  const [left, right] = [`${a.bucket}/${a.name}`, `${b.bucket}/${b.name}`];
  return left < right ? -1 : left > right ? 1 : 0;
}
