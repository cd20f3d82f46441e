import type { Logger, RequestContext } from '#libs/platform';
import { requestSettings, type Operation } from '../operation.js';
import type { ObjectBytes } from '../bytes/object-bytes.js';
import { isVersion } from '../bytes/object-key.js';
import { removeVersions } from './commit-version.js';
import { appendObjectEvent } from './object-events.js';
import { deleteObjects, type ObjectRow } from './objects.sql.js';

/**
 * Removes those of `names` that the DELETE policies let the caller remove. Rows and `object.removed` are committed
 * together; the bytes go afterwards.
 */
export async function removeObjects(
  context: RequestContext,
  bytes: ObjectBytes,
  logger: Logger,
  removal: { bucket: string; names: readonly string[]; operation: Operation },
): Promise<ObjectRow[]> {
  const { project, caller } = context;
  const removed = await project.database.asSystem(async (tx) => {
    const rows = await tx.asCaller(caller, requestSettings(context, removal.operation), (own) =>
      deleteObjects(own, removal.bucket, removal.names),
    );
    for (const { record } of rows) await appendObjectEvent(tx, context, { name: 'object.removed', record });
    return rows;
  });
  const versions = removed.map(({ object }) => object.version).filter(isVersion);
  await removeVersions(context, bytes, logger, versions);
  return removed.map(({ object }) => object);
}
