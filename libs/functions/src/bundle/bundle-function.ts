import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { bundleLimits as limits } from './bundle-limits.js';
import { bundleModules, type BundledModules } from './bundle-modules.js';
import { checkTypes } from './check-types.js';
import { denoCacheDirectory } from './deno-tool.js';
import { KeptBundles } from './kept-bundles.js';
import { checkModuleGraph } from './module-graph.js';
import { writeSourceTree } from './source-tree.js';

export interface BundleRequest {
  /** Sources by path: relative, with `/`, relative to a common root (`my-function/index.ts`, `_shared/cors.ts`). */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Path of the module that serves. */
  readonly entrypoint: string;
  /** Path of an import map or `deno.json`; by default the `deno.json` nearest to the entry point. */
  readonly importMap?: string | undefined;
  /** Type-check before. */
  readonly check: boolean;
  /** Holds the caches of packages and bundles. */
  readonly dataDir: string;
  /** Told of downloads, one line each. */
  readonly log?: (line: string) => void;
}

export interface Bundle {
  /** One ES module with everything that was imported by `npm:`, `jsr:`, `https:` or a path; `node:` stays. */
  readonly code: Uint8Array;
  /** Leads from `code` to the sources by the names that stacks give them; null when it would be too large. */
  readonly sourceMap: Uint8Array | null;
  /** Of `code`, in hex. */
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly durationMs: number;
}

let running = 0;
const waiting: (() => void)[] = [];

/**
 * Makes one module of a function's sources: graph → types → bundle. Nothing of the function or of its packages is
 * executed, and no file outside of its sources gets in.
 * @throws AppError `BUNDLE_ERROR` (400): the message holds the first mistake as `file:line:column: text`, `details` all
 */
export async function bundleFunction(request: BundleRequest): Promise<Bundle> {
  const began = performance.now();
  const kept = new KeptBundles(request.dataDir);
  const key = kept.key(request);
  let bundled = await kept.find(key);
  if (!bundled) {
    bundled = await inTurn(() => bundle(request));
    await kept.keep(key, bundled);
  }
  const { code, sourceMap } = bundled;
  return {
    code,
    sourceMap,
    sha256: createHash('sha256').update(code).digest('hex'),
    sizeBytes: code.byteLength,
    durationMs: performance.now() - began,
  };
}

async function bundle(request: BundleRequest): Promise<BundledModules> {
  const { dataDir, log = () => {} } = request;
  await mkdir(denoCacheDirectory(dataDir), { recursive: true });
  const tree = await writeSourceTree(request);
  try {
    await checkModuleGraph(tree, dataDir, log);
    if (request.check) await checkTypes(tree, dataDir, log);
    return await bundleModules(tree, dataDir, log);
  } finally {
    await tree.remove();
  }
}

/** At most `limits.concurrentBundles` at once: each takes a core and some hundred megabytes. */
async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= limits.concurrentBundles) await new Promise<void>((resolve) => waiting.push(resolve));
  else running += 1;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  }
}
