import { z } from 'zod';
import { invalidRequest, mimeTypeNotAllowed, tooLarge } from '../errors.js';
import { parseFileSize } from '../file-size.js';
import { limits } from '../limits.js';
import { requireBucketName } from '../names.js';
import { parseRequest } from '../parse-request.js';
import type { BucketListing, BucketSettings } from './buckets.sql.js';

const settingsSchema = z.object({
  public: z.boolean().nullish(),
  /** Bytes, or `20MB`. */
  file_size_limit: z.union([z.number(), z.string()]).nullish(),
  allowed_mime_types: z.array(z.string()).max(limits.allowedMimeTypes).nullish(),
});

const newBucketSchema = settingsSchema.extend({
  name: z.string(),
  id: z.string().nullish(),
  type: z.enum(['STANDARD', 'ANALYTICS']).nullish(),
});

const listingSchema = z.object({
  limit: z.coerce.number().int().min(1).default(limits.listedBuckets),
  offset: z.coerce.number().int().min(0).max(limits.listOffset).default(0),
  search: z.string().max(limits.bucketNameCharacters).default(''),
  sortColumn: z.enum(['id', 'name', 'created_at', 'updated_at']).default('name'),
  sortOrder: z.enum(['asc', 'desc']).default('asc'),
});

export interface NewBucket extends BucketSettings {
  readonly id: string;
  readonly name: string;
  readonly type: 'STANDARD' | 'ANALYTICS';
}

/** Reads the body of `POST /bucket`. */
export function parseNewBucket(body: unknown): NewBucket {
  const parsed = parseRequest(newBucketSchema, body);
  const name = requireBucketName(parsed.name);
  return {
    ...settingsOf(parsed),
    name,
    id: requireBucketName(parsed.id || name),
    type: parsed.type ?? 'STANDARD',
  };
}

/** Reads the body of `PUT /bucket/:id`. */
export function parseBucketSettings(body: unknown): BucketSettings {
  return settingsOf(parseRequest(settingsSchema, body));
}

/** Reads the query of `GET /bucket`. */
export function parseBucketListing(query: unknown): BucketListing {
  const listing = parseRequest(listingSchema, query);
  return { ...listing, limit: Math.min(listing.limit, limits.listedBuckets) };
}

function settingsOf(parsed: z.infer<typeof settingsSchema>): BucketSettings {
  const types = parsed.allowed_mime_types?.filter((type) => type !== '');
  const refused = types?.find(
    (type) => !bucketMimeType.test(type) || type.length > limits.mimeTypeCharacters,
  );
  if (refused !== undefined) throw mimeTypeNotAllowed(refused);
  return {
    public: parsed.public ?? undefined,
    fileSizeLimit: fileSizeLimitOf(parsed.file_size_limit),
    allowedMimeTypes: types ?? (parsed.allowed_mime_types === null ? null : undefined),
  };
}

const bucketMimeType = /^(\*\/\*|[\w!#$&^.+-]+\/([\w!#$&^.+-]+|\*))(\s*;.*)?$/;

function fileSizeLimitOf(value: number | string | null | undefined): number | null | undefined {
  if (value === null || value === undefined) return value;
  const bytes = parseFileSize(value);
  if (bytes === undefined)
    throw invalidRequest('Invalid file size format, hint: use 20GB / 20MB / 30KB / 3B');
  if (bytes > limits.objectBytes) throw tooLarge();
  return bytes;
}
