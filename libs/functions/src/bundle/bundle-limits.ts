/** Bounds on what is bundled and on what the bundling may cost. */
export const bundleLimits = {
  files: 1000,
  /** All source files together. */
  sourceBytes: 20 * 1024 * 1024,
  /** A source file's path. */
  pathChars: 512,
  /** A name between slashes: what file systems take. */
  pathPartBytes: 255,
  /** Files that the function reads when it runs, and how they may be named. Each instance has them in memory. */
  staticPatterns: 100,
  staticFiles: 500,
  staticFileBytes: 10 * 1024 * 1024,
  /** The bundled module; Supabase's bound. */
  codeBytes: 20 * 1024 * 1024,
  /** The source map of the bundled module: a larger one is not kept, and stacks name lines of the bundle. */
  sourceMapBytes: 4 * 1024 * 1024,
  /** Each step: reading the module graph with its downloads, checking types (twice at most), bundling. */
  stepTimeoutMs: 120_000,
  /** A source tree this old belongs to a process that is gone: longer than all steps together. */
  abandonedAgeMs: 3600 * 1000,
  /** Functions bundled at the same time by one process; others wait, and beyond that many are told to come again. */
  concurrentBundles: 2,
  waitingBundles: 20,
  /** What a step may print. */
  outputBytes: 32 * 1024 * 1024,
  /** How much of the compiler's errors is told. */
  errorChars: 8_000,
  /** Memory of a step, where the kernel can bound it: heaps, buffers, the bundler's own. */
  memoryMegabytes: 2048,
  /** The largest file that a step may write: packages, and the bundler's program. */
  fileBytes: 256 * 1024 * 1024,
  openFiles: 4096,
  /** Threads and processes of all builds of the host, where they have a user of their own. */
  threads: 512,
  /** What a build may write to temporary files, in memory, where it has a jail. */
  temporaryBytes: 64 * 1024 * 1024,
  temporaryFiles: 4096,
  /** How long after the last build what makes their jails stays. */
  idleJailerMs: 30_000,
  /** How long Deno may take to start when it is tried out. */
  probeTimeoutMs: 20_000,
  /**
   * Where code may be imported from by `https:`; `npm:` and `jsr:` have their registries. All are public, so that nobody
   * can have this server ask its own network for something.
   */
  importHosts: [
    'deno.land:443',
    'jsr.io:443',
    'esm.sh:443',
    'raw.esm.sh:443',
    'cdn.jsdelivr.net:443',
    'cdn.skypack.dev:443',
    'unpkg.com:443',
    'raw.githubusercontent.com:443',
    'gist.githubusercontent.com:443',
  ],
  /** Old-generation heap of a step; type checking a large graph takes a few hundred megabytes. */
  heapMegabytes: 1024,
  /** The same sources give the kept bundle for this long; afterwards version ranges are resolved anew. */
  keptBundleAgeMs: 24 * 3600 * 1000,
  keptBundles: 64,
} as const;
