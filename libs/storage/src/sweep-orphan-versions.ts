import type { Project } from '#libs/platform';
import type { ObjectBytes } from './bytes/object-bytes.js';
import { projectPrefix, versionOfKey } from './bytes/object-key.js';
import { limits } from './limits.js';
import { knownVersions } from './objects/objects.sql.js';

/**
 * Removes bytes that no row names: what a crash between writing and committing left, or between committing and
 * removing, and what SQL deleted. Bytes younger than `olderThanMs` stay, for an upload may be about to commit them.
 * Any number of servers may sweep at once and as often as they like.
 *
 * @returns how many versions were removed
 */
export async function sweepOrphanVersions(
  project: Project,
  bytes: ObjectBytes,
  olderThanMs: number = limits.orphanAgeMs,
): Promise<number> {
  const before = new Date(Date.now() - olderThanMs);
  let removed = 0;
  let batch: string[] = [];
  const sweepBatch = async () => {
    const known = await knownVersions(project.database, batch.map(versionOfKey));
    const orphans = batch.filter((key) => !known.has(versionOfKey(key)));
    await bytes.remove(orphans);
    removed += orphans.length;
    batch = [];
  };
  for await (const { key, storedAt } of bytes.list(projectPrefix(project.ref))) {
    if (storedAt <= before) batch.push(key);
    if (batch.length >= limits.sweepBatch) await sweepBatch();
  }
  if (batch.length > 0) await sweepBatch();
  await bytes.removeUnfinished(before);
  return removed;
}
