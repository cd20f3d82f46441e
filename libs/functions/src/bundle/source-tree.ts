import { chmod, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { bundleError } from './bundle-error.js';
import { bundleLimits as limits } from './bundle-limits.js';
import { safeDenoConfig } from './deno-config.js';
import { isPlainPath } from './plain-path.js';

/** A function's sources, written to a private directory. */
export interface SourceTree {
  /** Absolute, without symbolic links. */
  readonly directory: string;
  readonly entrypoint: string;
  /** Arguments that lead Deno to the configuration and import map, relative to `directory`. */
  readonly configArguments: readonly string[];
  remove(): Promise<void>;
}

const configNames = ['deno.json', 'deno.jsonc'];
/** Would make Deno talk to a registry of the function's choosing, or read a package layout of its own. */
const ignoredNames = ['.npmrc', 'package.json', 'deno.lock'];

/**
 * Checks the paths and writes the files. They are regular files made here, so no symbolic link can be among them.
 * @throws AppError `BUNDLE_ERROR` naming the path or limit
 */
export async function writeSourceTree(sources: {
  files: ReadonlyMap<string, Uint8Array>;
  entrypoint: string;
  importMap?: string | undefined;
}): Promise<SourceTree> {
  checkSources(sources);
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'galley-bundle-')));
  const remove = () => rm(directory, { recursive: true, force: true });
  try {
    await chmod(directory, 0o700);
    for (const [path, bytes] of sources.files) {
      const name = posix.basename(path);
      if (ignoredNames.includes(name)) continue;
      const config = configNames.includes(name);
      const target = join(directory, path);
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, config ? safeDenoConfig(path, Buffer.from(bytes).toString('utf8')) : bytes);
    }
  } catch (error) {
    await remove();
    throw error;
  }
  return { directory, entrypoint: sources.entrypoint, configArguments: configArguments(sources), remove };
}

function checkSources(sources: {
  files: ReadonlyMap<string, Uint8Array>;
  entrypoint: string;
  importMap?: string | undefined;
}): void {
  const { files, entrypoint, importMap } = sources;
  if (files.size > limits.files)
    throw bundleError([`There are ${files.size} files; the limit is ${limits.files}.`]);
  let size = 0;
  for (const [path, bytes] of files) {
    if (!isPlainPath(path)) {
      throw bundleError([`The path ${JSON.stringify(path)} is not a plain relative path.`]);
    }
    size += bytes.byteLength;
  }
  if (size > limits.sourceBytes) {
    throw bundleError([`The sources have ${size} bytes; the limit is ${limits.sourceBytes}.`]);
  }
  for (const path of [entrypoint, importMap]) {
    if (path !== undefined && !files.has(path)) throw bundleError([`${path} is not among the files.`]);
  }
}

/** What was named, or the configuration nearest to the entry point. */
function configArguments(sources: {
  files: ReadonlyMap<string, Uint8Array>;
  entrypoint: string;
  importMap?: string | undefined;
}): string[] {
  const { files, entrypoint, importMap } = sources;
  if (importMap !== undefined && configNames.includes(posix.basename(importMap)))
    return [`--config=${importMap}`];
  const mapArgument = importMap === undefined ? [] : [`--import-map=${importMap}`];
  for (let directory = posix.dirname(entrypoint); ; directory = posix.dirname(directory)) {
    const found = configNames.map((name) => posix.join(directory, name)).find((path) => files.has(path));
    if (found) return [`--config=${found}`, ...mapArgument];
    if (directory === '.') return ['--no-config', ...mapArgument];
  }
}
