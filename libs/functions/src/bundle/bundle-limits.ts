/** Bounds on what is bundled and on what the bundling may cost. */
export const bundleLimits = {
  files: 1000,
  /** All source files together. */
  sourceBytes: 20 * 1024 * 1024,
  /** A source file's path. */
  pathChars: 512,
  /** A name between slashes: what file systems take. */
  pathPartBytes: 255,
  /** The bundled module; Supabase's bound. */
  codeBytes: 20 * 1024 * 1024,
  /** The source map of the bundled module: a larger one is not kept, and stacks name lines of the bundle. */
  sourceMapBytes: 4 * 1024 * 1024,
  /** Each step: reading the module graph with its downloads, checking types (twice at most), bundling. */
  stepTimeoutMs: 120_000,
  /** A source tree this old belongs to a process that is gone: longer than all steps together. */
  abandonedAgeMs: 3600 * 1000,
  /** Functions bundled at the same time by one process; others wait. */
  concurrentBundles: 2,
  /** What a step may print. */
  outputBytes: 32 * 1024 * 1024,
  /** How much of the compiler's errors is told. */
  errorChars: 8_000,
  /** Old-generation heap of a step; type checking a large graph takes a few hundred megabytes. */
  heapMegabytes: 1024,
  /** The same sources give the kept bundle for this long; afterwards version ranges are resolved anew. */
  keptBundleAgeMs: 24 * 3600 * 1000,
  keptBundles: 64,
} as const;
