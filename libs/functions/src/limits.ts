/** Bounds of what may be deployed, declared and sent. Bounds of its sources are in `bundle/bundle-limits.ts`, of its process in `runtime/runtime-limits.ts`. */
export const limits = {
  /** A function's name: the names of its policies must fit PostgreSQL's 63 bytes. */
  slugChars: 40,
  /** All parts of a deploy request together. Supabase bounds a bundle to 20 MB. */
  deployBodyBytes: 24 * 1024 * 1024,

  memoryMb: { min: 32, max: 8192 },
  timeoutMs: { min: 100, max: 900_000 },
  cpuMs: { min: 10, max: 900_000 },
  instances: { min: 1, max: 100 },
  minInstances: { min: 0, max: 100 },
  idleMs: { min: 0, max: 3_600_000 },
  concurrency: { min: 1, max: 100 },
  attempts: { min: 1, max: 20 },
  /** Entries of each list and table of a manifest. */
  manifestEntries: 100,

  /** Body of a request to a function. */
  requestBodyBytes: 100 * 1024 * 1024,
  /** Calls of one function that may wait for an instance, beyond those that instances are being started for. */
  waitingCalls: 1000,
  /** How long a call waits for an instance, its start included, before it is told to come again later. */
  instanceWaitMs: 15_000,
  /** How much of a failing function's answer goes into the delivery's error. */
  errorBodyBytes: 1024,
  /** The longest wait that a function may ask for with `Retry-After`. */
  retryAfterMs: 24 * 3600 * 1000,

  /** How old a process's knowledge of the active deployment may be: an activation is seen this soon everywhere. */
  activeDeploymentAgeMs: 500,

  /** Deployments of one function that may answer at once. */
  trafficParts: 10,
  /** The part of this host's instances that `min_instances` may take, of all functions together: others need room. */
  provisionedShare: 0.5,
  /** How often a process asks which functions want instances to be kept ready, beside when it changed that itself. */
  provisionedLookMs: 5_000,

  secretsPerProject: 100,
  /** A secret's value: Supabase's bound. */
  secretValueBytes: 48 * 1024,
  secretNameChars: 256,

  /** Log lines written with one statement. */
  logBatchLines: 500,
  /** How long a log line may wait to be written. */
  logFlushMs: 250,
  /** Log lines held while the database does not answer; beyond it the oldest are dropped, and that is logged. */
  heldLogLines: 20_000,
  /** Log lines of one listing. */
  listedLogLines: 1000,
  listedDeployments: 100,
} as const;
