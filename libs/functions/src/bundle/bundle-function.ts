import { createHash } from 'node:crypto';
import { AppError } from '#libs/platform';
import type { BuildNetwork } from './build-hosts.js';
import type { BuildRoom } from './build-room.js';
import { buildSandbox } from './build-sandbox.js';
import { bundleLimits as limits } from './bundle-limits.js';
import { bundleModules, type BundledModules } from './bundle-modules.js';
import { checkTypes } from './check-types.js';
import { storageFull } from './deno-tool.js';
import { KeptBundles } from './kept-bundles.js';
import { checkModuleGraph } from './module-graph.js';
import { writeSourceTree } from './source-tree.js';

export interface BundleRequest extends BuildNetwork {
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
  /** False: do without namespaces, as on a host that does not allow them. */
  readonly namespaces?: boolean;
  /** Told of the steps and of downloads, one line each. */
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
 * @throws AppError `BUNDLE_ERROR` (400): mistakes as `file:line:column: text`; `too_many_builds` (503);
 *   `BUILD_KILLED` (503); `insufficient_storage` (507)
 */
export async function bundleFunction(request: BundleRequest): Promise<Bundle> {
  const began = performance.now();
  const kept = new KeptBundles(request.dataDir);
  const key = kept.key(request);
  let bundled = await kept.find(key);
  if (bundled) {
    request.log?.('The same sources were bundled before');
  } else {
    try {
      bundled = await inTurn(request.log, () => bundle(request));
      await kept.keep(key, bundled);
    } catch (error) {
      throw isStorageFull(error) ? storageFull(error) : error;
    }
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
  const { dataDir, namespaces = true, log = () => {} } = request;
  const sandbox = await buildSandbox(dataDir, namespaces);
  const tree = await writeSourceTree(request);
  let room: BuildRoom | undefined;
  try {
    room = await sandbox.open(tree.directory, request, log);
    log('Reading what it imports');
    const nativePackages = await checkModuleGraph(tree, room, log);
    // Some do without it.
    for (const name of nativePackages) log(`${name} has a native addon, which functions cannot load`);
    if (request.check) {
      log('Checking types');
      await checkTypes(tree, room, log);
    }
    log('Bundling');
    return await bundleModules(tree, { room, nativePackages }, log);
  } finally {
    room?.close();
    await tree.remove();
  }
}

/** At most `limits.concurrentBundles` at once: each takes a core and some hundred megabytes. */
async function inTurn<T>(log: BundleRequest['log'], work: () => Promise<T>): Promise<T> {
  if (running < limits.concurrentBundles) running += 1;
  else if (waiting.length < limits.waitingBundles) {
    log?.(`Waiting for other builds: this server does ${limits.concurrentBundles} at once`);
    await new Promise<void>((resolve) => waiting.push(resolve));
  } else throw tooManyBuilds();
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  }
}

function tooManyBuilds(): AppError {
  return new AppError({
    code: 'too_many_builds',
    status: 503,
    message: `${limits.waitingBundles} builds are waiting already; deploy again in a while`,
    headers: { 'Retry-After': '10' },
  });
}

function isStorageFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');
}
