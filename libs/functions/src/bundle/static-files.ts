import { matchesGlob } from '#libs/platform';
import { posix } from 'node:path';
import { mainFile } from '../runtime/function-runtime.js';
import { bundleError } from './bundle-error.js';
import { bundleLimits as limits } from './bundle-limits.js';

interface Choice {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly entrypoint: string;
  /** Paths in which `*`, `**` and `?` stand for others; Supabase's CLI sends them relative to where the files are. */
  readonly patterns: readonly string[];
}

/**
 * The files that a function reads when it runs, of those that it is made from.
 * @throws AppError `BUNDLE_ERROR` (400) naming the pattern, file or limit
 */
export function chosenStaticFiles({ files, entrypoint, patterns }: Choice): string[] {
  if (patterns.length > limits.staticPatterns) {
    throw bundleError([
      `There are ${patterns.length} patterns of static files; the limit is ${limits.staticPatterns}.`,
    ]);
  }
  const chosen = new Set<string>();
  for (const pattern of patterns) {
    const matching = [...files.keys()].filter((path) => matchesGlob(path, posix.normalize(pattern)));
    if (matching.length === 0) {
      throw bundleError([
        `The static files ${JSON.stringify(pattern)} are not there: no file has such a path.`,
      ]);
    }
    for (const path of matching) chosen.add(path);
  }
  checkPlaces([...chosen], entrypoint);
  checkSize([...chosen], files);
  return [...chosen].toSorted();
}

/** Where a static file lies when the function runs: its way from the entry point's folder. */
export function staticFileName(path: string, entrypoint: string): string {
  return posix.relative(posix.dirname(entrypoint), path);
}

function checkPlaces(paths: readonly string[], entrypoint: string): void {
  for (const path of paths) {
    const name = staticFileName(path, entrypoint);
    if (name.startsWith('../')) {
      throw bundleError([
        `The static file ${path} lies outside of ${posix.dirname(entrypoint)}, the folder of the entry point.`,
      ]);
    }
    if (name === mainFile) {
      throw bundleError([`${path} cannot be a static file: the bundled function has its name.`]);
    }
  }
}

function checkSize(paths: readonly string[], files: ReadonlyMap<string, Uint8Array>): void {
  if (paths.length > limits.staticFiles) {
    throw bundleError([`There are ${paths.length} static files; the limit is ${limits.staticFiles}.`]);
  }
  const bytes = paths.reduce((sum, path) => sum + files.get(path)!.byteLength, 0);
  if (bytes > limits.staticFileBytes) {
    throw bundleError([`The static files have ${bytes} bytes; the limit is ${limits.staticFileBytes}.`]);
  }
}
