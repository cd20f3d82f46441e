import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newId } from '#libs/platform';
import { bundleLimits as limits } from './bundle-limits.js';

const hashBytes = 32;

/**
 * Bundles of the last day by a hash of their sources, `<dataDir>/cache/bundles/`, so that deploying the same again is
 * quick. Each file is the SHA-256 of the code, then the code.
 */
export class KeptBundles {
  readonly #directory: string;

  constructor(dataDir: string) {
    this.#directory = join(dataDir, 'cache', 'bundles');
  }

  /** What the result depends on; `check` too, since kept means that it has passed. */
  key(sources: {
    files: ReadonlyMap<string, Uint8Array>;
    entrypoint: string;
    importMap?: string | undefined;
    check: boolean;
  }): string {
    const hash = createHash('sha256').update(
      JSON.stringify([sources.entrypoint, sources.importMap ?? null, sources.check]),
    );
    for (const [path, bytes] of [...sources.files].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      hash.update(JSON.stringify([path, bytes.byteLength])).update(bytes);
    }
    return hash.digest('hex');
  }

  async find(key: string): Promise<Uint8Array | null> {
    const path = join(this.#directory, key);
    try {
      const { mtimeMs } = await stat(path);
      if (Date.now() - mtimeMs >= limits.keptBundleAgeMs) return null;
      const kept = await readFile(path);
      const code = kept.subarray(hashBytes);
      // A disk that failed or a power cut may have left something else than what was written.
      return hashOf(code).equals(kept.subarray(0, hashBytes)) ? code : null;
    } catch {
      return null;
    }
  }

  async keep(key: string, code: Uint8Array): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    const draft = join(this.#directory, `.${newId()}`);
    await writeFile(draft, Buffer.concat([hashOf(code), code]));
    await rename(draft, join(this.#directory, key));
    await this.#prune();
  }

  async #prune(): Promise<void> {
    const names = await readdir(this.#directory);
    if (names.length <= limits.keptBundles) return;
    const aged = await Promise.all(
      names.map(async (name) => {
        const path = join(this.#directory, name);
        return { path, mtimeMs: (await stat(path).catch(() => ({ mtimeMs: 0 }))).mtimeMs };
      }),
    );
    aged.sort((a, b) => b.mtimeMs - a.mtimeMs);
    await Promise.all(aged.slice(limits.keptBundles).map(({ path }) => rm(path, { force: true })));
  }
}

function hashOf(code: Uint8Array): Buffer {
  return createHash('sha256').update(code).digest();
}
