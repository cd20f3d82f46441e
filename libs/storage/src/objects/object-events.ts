import { appendEvent } from '#libs/events';
import { rootOf, type RequestContext, type Sql } from '#libs/platform';
import type { ObjectAddress } from '../names.js';

type ObjectRecord = Record<string, unknown>;

type ObjectChange =
  | { name: 'object.created' | 'object.removed'; record: ObjectRecord }
  | { name: 'object.updated'; record: ObjectRecord; oldRecord: ObjectRecord }
  | { name: 'object.moved'; record: ObjectRecord; oldRecord: ObjectRecord; from: ObjectAddress };

/**
 * Appends what happened to an object in the transaction of the change. `tx` must run as the platform.
 * @param change `record` is the row of `storage.objects` as JSON
 */
export async function appendObjectEvent(
  tx: Sql,
  context: RequestContext,
  change: ObjectChange,
): Promise<void> {
  const { requestId, caller } = context;
  const origin = { requestId, depth: caller.depth, rootId: rootOf(caller, requestId) };
  const payload = payloadOf(change.record);
  switch (change.name) {
    case 'object.created':
    case 'object.removed':
      return appendEvent(tx, { name: change.name, payload, ...origin });
    case 'object.updated':
      return appendEvent(tx, {
        name: change.name,
        payload: { ...payload, old_record: change.oldRecord },
        ...origin,
      });
    case 'object.moved':
      return appendEvent(tx, {
        name: change.name,
        payload: { ...payload, old_record: change.oldRecord, from: change.from },
        ...origin,
      });
  }
}

function payloadOf(record: ObjectRecord) {
  const metadata = (record['metadata'] ?? {}) as { size?: unknown; mimetype?: unknown };
  return {
    bucket: String(record['bucket_id']),
    name: String(record['name']),
    version: String(record['version'] ?? ''),
    sizeBytes: Number(metadata.size ?? 0),
    mimeType: String(metadata.mimetype ?? 'application/octet-stream'),
    ownerId: (record['owner_id'] as string | null) ?? null,
    record,
  };
}
