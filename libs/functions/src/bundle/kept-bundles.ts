import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newId } from '#libs/platform';
import { bundleLimits as limits } from './bundle-limits.js';
import type { BundledModules } from './bundle-modules.js';

const hashBytes = 32;

/**
 * Bundles of the last day by a hash of their sources, `<dataDir>/cache/bundles/`, so that deploying the same again is
 * quick. Each is one file: the SHA-256 of what follows, the length of the code in four bytes, the code, the source map.
 */
export class KeptBundles {
  readonly #directory: string;

  constructor(dataDir: string) {
    this.#directory = join(dataDir, 'cache', 'bundles');
  }

  /** What the result depends on; `check` too, since kept means that it has passed. The number is the file's format. */
  key(sources: {
    files: ReadonlyMap<string, Uint8Array>;
    entrypoint: string;
    importMap?: string | undefined;
    check: boolean;
  }): string {
    const hash = createHash('sha256').update(
      JSON.stringify([3, sources.entrypoint, sources.importMap ?? null, sources.check]),
    );
    for (const [path, bytes] of [...sources.files].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      hash.update(JSON.stringify([path, bytes.byteLength])).update(bytes);
    }
    return hash.digest('hex');
  }

  async find(key: string): Promise<BundledModules | null> {
    const path = join(this.#directory, key);
    try {
      const { mtimeMs } = await stat(path);
      if (Date.now() - mtimeMs >= limits.keptBundleAgeMs) return null;
      return unpack(await readFile(path));
    } catch {
      return null;
    }
  }

  async keep(key: string, bundled: BundledModules): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    const draft = join(this.#directory, `.${newId()}`);
    await writeFile(draft, pack(bundled));
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

function pack({ code, sourceMap }: BundledModules): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(code.byteLength);
  const content = Buffer.concat([length, code, sourceMap ?? new Uint8Array()]);
  return Buffer.concat([hashOf(content), content]);
}

/** Null when a disk that failed or a power cut has left something else than what was written. */
function unpack(file: Buffer): BundledModules | null {
  const content = file.subarray(hashBytes);
  if (!hashOf(content).equals(file.subarray(0, hashBytes))) return null;
  const end = 4 + content.readUInt32BE(0);
  return { code: content.subarray(4, end), sourceMap: content.length > end ? content.subarray(end) : null };
}

function hashOf(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
