import { invalidBucketName, invalidKey } from './errors.js';
import { limits } from './limits.js';

// The characters that storage-api admits: those S3 calls safe and those it calls "might require special handling".
const objectName = /^[A-Za-z0-9_/!.*'() &$=@;:+,?-]+$/;
const bucketName = /^[A-Za-z0-9_!.*'() &$=@;:+,?-]+$/;

/** @throws AppError `InvalidKey` unless `name` may name an object. */
export function requireObjectName(name: string): string {
  if (!objectName.test(name) || Buffer.byteLength(name) > limits.objectNameBytes) throw invalidKey(name);
  return name;
}

/** @throws AppError `InvalidBucketName` unless `name` may name a bucket. */
export function requireBucketName(name: string): string {
  const fits = name.length <= limits.bucketNameCharacters && name.trim() === name;
  if (!fits || !bucketName.test(name)) throw invalidBucketName();
  return name;
}

/** What a path below a route names. */
export interface ObjectAddress {
  readonly bucket: string;
  readonly name: string;
}

/**
 * Reads `bucket/name…` out of a raw request target below `route`, e.g. `/storage/v1/object/public/`.
 * @throws AppError `InvalidBucketName`, `InvalidKey`
 */
export function objectAddress(target: string, route: string): ObjectAddress {
  const path = pathBelow(target, route);
  const slash = path.indexOf('/');
  if (slash === -1) throw invalidKey('');
  return { bucket: requireBucketName(path.slice(0, slash)), name: requireObjectName(path.slice(slash + 1)) };
}

/** The decoded path below `route`, without its query. */
export function pathBelow(target: string, route: string): string {
  const query = target.indexOf('?');
  const path = query === -1 ? target : target.slice(0, query);
  const start = path.indexOf(route);
  if (start === -1) throw invalidKey('');
  const raw = path.slice(start + route.length);
  try {
    return decodeURIComponent(raw);
  } catch {
    throw invalidKey(raw);
  }
}
