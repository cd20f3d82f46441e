import type { FastifyReply, FastifyRequest } from 'fastify';
import { objectKey } from '../bytes/object-key.js';
import type { ObjectBytes } from '../bytes/object-bytes.js';
import { isMimeType } from '../mime-types.js';
import { sendRepresentation, type Representation } from './object-response.js';
import type { ObjectRow } from './objects.sql.js';
import { withCurrentVersion } from './open-version.js';

/** Answers a GET or HEAD with an object's bytes, or the part of them that was asked for. */
export async function sendObject(
  request: FastifyRequest,
  reply: FastifyReply,
  bytes: ObjectBytes,
  options: { find: () => Promise<ObjectRow>; expires?: Date },
): Promise<void> {
  await withCurrentVersion(options.find, (object, version) =>
    sendRepresentation(request, reply, representationOf(object, options.expires), (range) =>
      bytes.read(objectKey(request.galley.project.ref, version), range),
    ),
  );
}

/** What an object's row says of its bytes. */
export function representationOf(object: ObjectRow, expires?: Date): Representation {
  const metadata = object.metadata ?? {};
  return {
    mimeType: mimeTypeOf(metadata.mimetype),
    sizeBytes: Number(metadata.size ?? 0),
    eTag: metadata.eTag,
    lastModified: metadata.lastModified ? new Date(metadata.lastModified) : object.updated_at,
    cacheControl: metadata.cacheControl ?? 'no-cache',
    expires,
  };
}

/** A row can be older than a rule about types, or come from SQL; a header cannot hold everything that it can. */
function mimeTypeOf(stored: string | undefined): string {
  return stored !== undefined && isMimeType(stored) ? stored : 'application/octet-stream';
}
