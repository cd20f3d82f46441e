import { realpath, stat } from 'node:fs/promises';
import { relative } from 'node:path';
import type { Dirent } from 'node:fs';

/** What an entry of a directory is, symbolic links followed; `outside` when it leads to nothing that may be deployed. */
export interface EntryTarget {
  readonly kind: 'file' | 'folder' | 'outside';
  /** Without symbolic links. */
  readonly path: string;
}

/**
 * Follows a link that stays in the project folder. One that leads out of it, to something hidden in it (`.env`, `.git`)
 * or to nothing is not followed: what is deployed can be read back by whoever holds the secret key.
 * @param root the project folder, without symbolic links
 */
export async function targetOf(root: string, path: string, entry: Dirent): Promise<EntryTarget> {
  if (entry.isFile()) return { kind: 'file', path };
  if (entry.isDirectory()) return { kind: 'folder', path };
  const target = entry.isSymbolicLink() ? await realpath(path).catch(() => undefined) : undefined;
  if (target === undefined || relative(root, target).split('/').some(isHidden)) {
    return { kind: 'outside', path };
  }
  const found = await stat(target);
  return { kind: found.isDirectory() ? 'folder' : found.isFile() ? 'file' : 'outside', path: target };
}

/** `..` too, which leads out of a folder. */
function isHidden(name: string): boolean {
  return name.startsWith('.');
}
