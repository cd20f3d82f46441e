import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, link, mkdir, open, opendir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import type { ByteRange } from '../byte-range.js';
import { measure } from './measure.js';
import { BytesMissing, ObjectBytes, type StoredVersion } from './object-bytes.js';

/** No dots: a key can name neither a parent directory nor the directory of unfinished writes. */
const safeKey = /^[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+)*$/;
const unfinishedDirectory = '.unfinished';

/** Object bytes as files under one directory: `<root>/<key>`. */
export class FileObjectBytes extends ObjectBytes {
  readonly #root: string;
  /** Directories that are there: they are never removed, so each is made sure of once. */
  readonly #made = new Set<string>();

  constructor(root: string) {
    super();
    this.#root = root;
  }

  override async write(
    key: string,
    chunks: AsyncIterable<Uint8Array>,
    maxBytes: number,
  ): Promise<StoredVersion> {
    const target = this.#path(key);
    const measured = measure(chunks, maxBytes);
    await this.#place(target, async (unfinished) => {
      const file = await open(unfinished, 'wx');
      try {
        for await (const chunk of measured.chunks) await writeWhole(file, chunk);
        await file.sync();
      } finally {
        await file.close();
      }
    });
    return measured.stored();
  }

  override async read(key: string, range?: ByteRange): Promise<Readable> {
    const file = await open(this.#path(key), 'r').catch((error) => {
      throw isNotFound(error) ? new BytesMissing(key, { cause: error }) : error;
    });
    return file.createReadStream({ ...range, highWaterMark: 256 * 1024 });
  }

  override async copy(from: string, to: string): Promise<void> {
    const [source, target] = [this.#path(from), this.#path(to)];
    try {
      // A version is never changed, so both keys can share the file.
      await this.#place(target, (unfinished) =>
        link(source, unfinished).catch((error: NodeJS.ErrnoException) => {
          if (isNotFound(error)) throw error;
          return copyFile(source, unfinished, constants.COPYFILE_EXCL);
        }),
      );
    } catch (error) {
      throw isNotFound(error) ? new BytesMissing(from, { cause: error }) : error;
    }
  }

  override async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) await rm(this.#path(key), { force: true });
  }

  override async *list(prefix: string): AsyncGenerator<{ key: string; storedAt: Date }> {
    for await (const path of filesBelow(this.#path(prefix.replace(/\/$/, '')))) {
      const found = await stat(path).catch(ignoreNotFound);
      // A hard link leaves mtime alone but sets ctime, as rename does.
      if (found) yield { key: path.slice(this.#root.length + 1), storedAt: found.ctime };
    }
  }

  override async removeUnfinished(before: Date): Promise<void> {
    for await (const path of filesBelow(join(this.#root, unfinishedDirectory))) {
      const found = await stat(path).catch(ignoreNotFound);
      if (found && found.mtime < before) await rm(path, { force: true });
    }
  }

  #path(key: string): string {
    if (!safeKey.test(key))
      throw new TypeError('An object key holds letters, digits, "_", "-" and "/" only.');
    return join(this.#root, key);
  }

  async #ensureDirectory(path: string): Promise<void> {
    if (this.#made.has(path)) return;
    // A new directory is durable once the one that holds it is synced.
    if (await mkdir(path, { recursive: true })) await syncDirectory(dirname(path));
    this.#made.add(path);
  }

  /** Lets `fill` make a file apart, then puts it in place: after a crash it is there whole or not at all. */
  async #place(target: string, fill: (unfinished: string) => Promise<void>): Promise<void> {
    const directory = join(this.#root, unfinishedDirectory);
    const unfinished = join(directory, randomUUID());
    await this.#ensureDirectory(directory);
    try {
      await fill(unfinished);
      await this.#ensureDirectory(dirname(target));
      await rename(unfinished, target);
      // POSIX: a rename is durable once its directory is synced.
      await syncDirectory(dirname(target));
    } catch (error) {
      await rm(unfinished, { force: true });
      throw error;
    }
  }
}

async function writeWhole(file: Awaited<ReturnType<typeof open>>, chunk: Uint8Array): Promise<void> {
  for (let written = 0; written < chunk.length;) {
    written += (await file.write(chunk, written, chunk.length - written)).bytesWritten;
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function* filesBelow(directory: string): AsyncGenerator<string> {
  const entries = await opendir(directory).catch(ignoreNotFound);
  if (!entries) return;
  for await (const entry of entries) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else yield path;
  }
}

function isNotFound(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

function ignoreNotFound(error: unknown): undefined {
  if (!isNotFound(error)) throw error;
}
