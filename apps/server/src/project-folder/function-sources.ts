import { readdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { targetOf } from './link-target.js';

/** What a function is deployed from. */
export interface FunctionSources {
  /** By path below `supabase/`. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Symbolic links that were left out, since they lead out of the project folder, to something hidden, or to nothing. */
  readonly leftOut: readonly string[];
}

/** Settings that all functions may share; everything else beside their folders stays here, `.env` above all. */
const sharedFiles = /^(deno\.jsonc?|import_map\.json|package\.json)$/;

/** Packages are fetched by their names when a function is built. */
export const packagesFolder = 'node_modules';

/** The function's own files and those that it may import: folders whose names begin with `_`, and shared settings. */
export async function functionSources(root: string, slug: string): Promise<FunctionSources> {
  const reader = new SourceReader(await realpath(root));
  const isShared = (name: string) => name.startsWith('_') || sharedFiles.test(name);
  await reader.add(
    join(root, 'supabase', 'functions'),
    'functions',
    (name) => name === slug || isShared(name),
  );
  return reader;
}

class SourceReader implements FunctionSources {
  readonly files = new Map<string, Uint8Array>();
  readonly leftOut: string[] = [];

  /** @param root the project folder, without symbolic links */
  constructor(private readonly root: string) {}

  /**
   * Adds what is in a directory.
   * @param within the directories that led here, so that a link to one of them ends
   */
  async add(
    directory: string,
    path: string,
    wanted: (name: string) => boolean,
    within: readonly string[] = [],
  ): Promise<void> {
    const own = await realpath(directory);
    if (within.includes(own)) return;
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      if (entry.name.startsWith('.') || entry.name === packagesFolder || !wanted(entry.name)) continue;
      const entryPath = `${path}/${entry.name}`;
      const target = await targetOf(this.root, join(directory, entry.name), entry);
      if (target.kind === 'outside') this.leftOut.push(entryPath);
      else if (target.kind === 'file') this.files.set(entryPath, await readFile(target.path));
      else await this.add(target.path, entryPath, () => true, [...within, own]);
    }
  }
}
