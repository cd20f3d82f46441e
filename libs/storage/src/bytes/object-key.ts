const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * The key of a version's bytes: `<project ref>/<shard>/<version>`. Neither bucket nor name is part of it, so a
 * move changes one row and no bytes, and no name can reach outside the store. The shard is the version's last two
 * digits, which are random, and keeps directories small.
 */
export function objectKey(projectRef: string, version: string): string {
  if (!isVersion(version)) throw new TypeError('An object version is a UUID.');
  return `${projectPrefix(projectRef)}${version.slice(-2)}/${version}`;
}

/** What the keys of all versions of a project start with. */
export function projectPrefix(projectRef: string): string {
  return `${projectRef}/`;
}

/** The version that a key names. */
export function versionOfKey(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}

/** Whether `version` is one that an upload wrote; rows made by hand may hold anything. */
export function isVersion(version: unknown): version is string {
  return typeof version === 'string' && uuid.test(version);
}
