import { z } from 'zod';
import { limits } from '../limits.js';
import { requireBucketName, requireObjectName, type ObjectAddress } from '../names.js';
import { parseRequest } from '../parse-request.js';
import type { Listing } from './list-objects.sql.js';

const listSchema = z.object({
  prefix: z.string().max(limits.objectNameBytes).default(''),
  limit: z.number().int().min(1).default(100),
  offset: z.number().int().min(0).max(limits.listOffset).default(0),
  search: z.string().max(limits.objectNameBytes).nullish(),
  sortBy: z
    .object({
      column: z.enum(['name', 'updated_at', 'created_at', 'last_accessed_at']).default('name'),
      order: z.enum(['asc', 'desc']).default('asc'),
    })
    .nullish(),
});

/** Reads the body of `POST /object/list/:bucket`. The prefix is a folder, with or without its slash. */
export function parseListing(bucket: string, body: unknown): Listing {
  const { prefix, limit, offset, search, sortBy } = parseRequest(listSchema, body);
  const folder = prefix.replace(/^\/+/, '').replace(/\/+$/, '');
  return {
    bucket: requireBucketName(bucket),
    prefix: folder === '' ? '' : `${folder}/`,
    search: search ?? '',
    limit: Math.min(limit, limits.listedObjects),
    offset,
    column: sortBy?.column ?? 'name',
    order: sortBy?.order ?? 'asc',
  };
}

const removalSchema = z.object({ prefixes: z.array(z.string()).min(1).max(limits.removedObjects) });

/** Reads the body of `DELETE /object/:bucket`: names, in spite of what the field is called. */
export function parseRemoval(body: unknown): string[] {
  return parseRequest(removalSchema, body).prefixes;
}

const relocationSchema = z.object({
  bucketId: z.string(),
  sourceKey: z.string(),
  destinationKey: z.string(),
  destinationBucket: z.string().nullish(),
});

/** Reads the body of `POST /object/move` and `/object/copy`. */
export function parseRelocation(body: unknown): { from: ObjectAddress; to: ObjectAddress } {
  const parsed = parseRequest(relocationSchema, body);
  const bucket = requireBucketName(parsed.bucketId);
  return {
    from: { bucket, name: requireObjectName(parsed.sourceKey) },
    to: {
      bucket: parsed.destinationBucket ? requireBucketName(parsed.destinationBucket) : bucket,
      name: requireObjectName(parsed.destinationKey),
    },
  };
}
