import { appendEvent } from '#libs/events';
import type { RequestContext, Sql } from '#libs/platform';

/**
 * Appends what happened to an object in the transaction of the change. `tx` must run as the platform.
 * @param record the row of `storage.objects` as JSON
 */
export async function appendObjectEvent(
  tx: Sql,
  context: RequestContext,
  name: 'object.created' | 'object.removed',
  record: Record<string, unknown>,
): Promise<void> {
  const metadata = (record['metadata'] ?? {}) as { size?: unknown; mimetype?: unknown };
  await appendEvent(tx, {
    name,
    payload: {
      bucket: String(record['bucket_id']),
      name: String(record['name']),
      version: String(record['version'] ?? ''),
      sizeBytes: Number(metadata.size ?? 0),
      mimeType: String(metadata.mimetype ?? 'application/octet-stream'),
      ownerId: (record['owner_id'] as string | null) ?? null,
      record,
    },
    requestId: context.requestId,
    depth: context.caller.depth,
  });
}
