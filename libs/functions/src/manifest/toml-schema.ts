import { z } from 'zod';
import { limits } from '../limits.js';

/** Schemas of the platform and of PostgreSQL: what is in them a function reaches, if at all, by other permissions. */
const platformSchemas = /^(auth|storage|realtime|galley|extensions|information_schema|pg_.*)$/;

/** A TOML table that knows its keys: an unknown one is refused, with the names of those that exist. */
export function table<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `unknown key ${issue.keys.map((key) => `"${key}"`).join(', ')}; expected ${Object.keys(shape).join(', ')}`
        : undefined,
  });
}

export function wholeNumber({ min, max }: { min: number; max: number }) {
  const error = `expected a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

export function list<Item extends z.ZodType>(item: Item) {
  return z.array(item).max(limits.manifestEntries, {
    error: `expected at most ${limits.manifestEntries} entries`,
  });
}

export function byName<Value extends z.ZodType>(name: z.ZodType<string, string>, value: Value) {
  return z.record(name, value).refine((entries) => Object.keys(entries).length <= limits.manifestEntries, {
    error: `expected at most ${limits.manifestEntries} entries`,
  });
}

export const qualifiedName = z
  .string()
  .regex(/^[^."\0]{1,63}\.[^."\0]{1,63}$/, { error: 'expected "schema.name"' });
export const tableName = qualifiedName.refine(isOutsideOfPlatform, {
  error:
    'tables of the platform cannot be named here; use `buckets` or an object event for storage, `service_role` for auth',
});
export const queueName = z.string().regex(/^[a-z0-9_-]{1,47}$/, {
  error: 'expected the name of a queue: up to 47 lower-case letters, digits, "_" and "-"',
});
export const bucketName = z.string().regex(/^[^/\0]{1,100}$/, { error: 'expected the name of a bucket' });

export function isOutsideOfPlatform(qualified: string): boolean {
  return !platformSchemas.test(qualified.split('.')[0]!);
}
