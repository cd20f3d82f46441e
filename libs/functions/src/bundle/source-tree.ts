import { chmod, lstat, mkdir, mkdtemp, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { buildUid } from './build-sandbox.js';
import { bundleError } from './bundle-error.js';
import { bundleLimits as limits } from './bundle-limits.js';
import { isDenoConfig, readDenoConfig, safeDenoConfig, type DenoConfig } from './deno-config.js';
import { isPlainPath } from './plain-path.js';
import { runtimeTypes, runtimeTypesFile } from './runtime-types.js';
import { writeDenoConfig } from './write-deno-config.js';

interface Sources {
  files: ReadonlyMap<string, Uint8Array>;
  entrypoint: string;
  importMap?: string | undefined;
}

/** A function's sources, written to a private directory. */
export interface SourceTree {
  /** Absolute, without symbolic links. */
  readonly directory: string;
  readonly entrypoint: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** What the author set. */
  readonly config: DenoConfig;
  /** Arguments that lead Deno to the configuration. */
  readonly configArguments: readonly string[];
  remove(): Promise<void>;
}

const directoryPrefix = 'galley-bundle-';
/**
 * Would make Deno talk to a registry of the function's choosing, or read a package layout of its own. What counts of a
 * `package.json` stands in the configuration.
 */
const ignoredNames = ['.npmrc', 'package.json', 'deno.lock'];

/**
 * Checks the paths and writes the files. They are regular files made here, so no symbolic link can be among them.
 * @throws AppError `BUNDLE_ERROR` naming the path or limit
 */
export async function writeSourceTree(sources: Sources): Promise<SourceTree> {
  const { files, entrypoint } = sources;
  checkSources(sources);
  const config = readDenoConfig(sources);
  const directory = await realpath(await mkdtemp(join(tmpdir(), directoryPrefix)));
  const remove = () => rm(directory, { recursive: true, force: true });
  try {
    await chmod(directory, 0o700);
    for (const [path, bytes] of files) await writeSource(directory, path, bytes);
    await writeFile(join(directory, runtimeTypesFile), runtimeTypes);
    const configArguments = await writeDenoConfig({ directory, files, config }, 'deno');
    return { directory, entrypoint, files, config, configArguments, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Removes what bundling left behind when its process was killed. To be called at start. */
export async function sweepSourceTrees(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(directoryPrefix)) continue;
    const path = join(tmpdir(), name);
    const found = await lstat(path).catch(() => undefined);
    if (!found?.isDirectory() || ![process.getuid?.(), buildUid].includes(found.uid)) continue;
    if (Date.now() - found.mtimeMs > limits.abandonedAgeMs) await rm(path, { recursive: true, force: true });
  }
}

async function writeSource(directory: string, path: string, bytes: Uint8Array): Promise<void> {
  if (ignoredNames.includes(posix.basename(path))) return;
  const target = join(directory, path);
  await mkdir(dirname(target), { recursive: true });
  // Deno looks into configurations beside the one that it is given, for workspaces.
  const safe = isDenoConfig(path)
    ? JSON.stringify(safeDenoConfig(path, Buffer.from(bytes).toString('utf8')))
    : bytes;
  await writeFile(target, safe);
}

function checkSources({ files, entrypoint, importMap }: Sources): void {
  if (files.size > limits.files)
    throw bundleError([`There are ${files.size} files; the limit is ${limits.files}.`]);
  let size = 0;
  for (const [path, bytes] of files) {
    if (!isPlainPath(path)) {
      throw bundleError([
        `The path ${JSON.stringify(path)} is not a plain relative path of at most ${limits.pathChars} characters, ` +
          `${limits.pathPartBytes} bytes in each part.`,
      ]);
    }
    const folder = foldersOf(path).find((candidate) => files.has(candidate));
    if (folder !== undefined) throw bundleError([`${folder} is both a file and the folder of ${path}.`]);
    size += bytes.byteLength;
  }
  if (size > limits.sourceBytes) {
    throw bundleError([`The sources have ${size} bytes; the limit is ${limits.sourceBytes}.`]);
  }
  for (const path of [entrypoint, importMap]) {
    if (path !== undefined && !files.has(path)) throw bundleError([`${path} is not among the files.`]);
  }
}

/** `a/b/c.ts` → `a`, `a/b` */
function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}
