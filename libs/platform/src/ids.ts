import { createHash, randomUUID } from 'node:crypto';
import { z } from 'zod';

/**
 * A UUID version 7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then random bits, so ids sort by the time they were
 * made and index pages fill in order. The random bits are those of a version 4, which Node draws in batches.
 */
export function newId(): string {
  const time = Date.now().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

/** A UUID that depends only on `parts` (RFC 9562 §5.8): the same delivery gets the same id however often it is made. */
export function derivedId(...parts: string[]): string {
  const bytes = createHash('sha256').update(parts.join('\0')).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return formatUuid(bytes);
}

/** Whether `text` can be an id: what is none PostgreSQL refuses to compare with one. */
export function isId(text: string): boolean {
  return z.uuid().safeParse(text).success;
}

function formatUuid(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
