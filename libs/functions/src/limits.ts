/** Bounds of what may be deployed, declared and sent. Bounds of its sources are in `bundle/bundle-limits.ts`, of its process in `runtime/runtime-limits.ts`. */
export const limits = {
  /** A function's name: the names of its policies must fit PostgreSQL's 63 bytes. */
  slugChars: 40,
  /** All parts of a deploy request together. Supabase bounds a bundle to 20 MB. */
  deployBodyBytes: 24 * 1024 * 1024,
  /** The name that people see, where it is not the slug. */
  nameChars: 100,
  /** Functions of one bulk update. */
  bulkFunctions: 100,

  /** Builds that are kept of each function. */
  keptBuilds: 20,
  buildLogLines: 1000,
  buildLogLineChars: 2000,
  /** How often a process says that a build goes on, and after which silence others take the process for dead. */
  buildAliveEveryMs: 5_000,
  buildSilenceMs: 30_000,
  /** How soon who follows a build's log sees a new line, whichever server builds. */
  buildPollMs: 200,
  /** How often something passes on a stream of events, so that no proxy takes it for dead. */
  eventStreamKeepAliveMs: 15_000,

  memoryMb: { min: 32, max: 8192 },
  timeoutMs: { min: 100, max: 900_000 },
  cpuMs: { min: 10, max: 900_000 },
  webSocketTimeoutMs: { min: 100, max: 24 * 3600 * 1000 },
  instances: { min: 1, max: 100 },
  minInstances: { min: 0, max: 100 },
  idleMs: { min: 0, max: 3_600_000 },
  concurrency: { min: 1, max: 100 },
  attempts: { min: 1, max: 20 },
  /** A wait between tries to deliver an event. */
  retryDelayMs: { min: 100, max: 24 * 3600 * 1000 },
  /** Events that a function is given at once. Lambda's bounds are 10,000 and 300 s. */
  batchSize: { min: 1, max: 1000 },
  batchWindowMs: { min: 0, max: 300_000 },
  /** How much of the answer to a batch is read for what failed of it. */
  batchAnswerBytes: 256 * 1024,
  /** Invocations for events within a time, where a function bounds them. */
  rateCount: { min: 1, max: 1000 },
  ratePeriodMs: { min: 100, max: 3_600_000 },
  /** The condition on one column of a subscription. */
  conditionChars: 1000,
  /** Connections that a function may have to its database by `SUPABASE_DB_URL`, all of its instances together. */
  databaseConnections: 10,
  /** How long such a connection may take to say who logs in. */
  databaseLoginMs: 10_000,
  /** Entries of each list and table of a manifest. */
  manifestEntries: 100,

  /** Body of a request to a function. */
  requestBodyBytes: 100 * 1024 * 1024,
  /** A body that announces no more is waited for whole before an instance is taken; of any other the first bytes are. */
  heldBodyBytes: 16 * 1024,
  /** How long that waiting may last. */
  bodyStartMs: 10_000,
  /** How long a client may then pause in a body that the function wants to read: it holds an instance. */
  bodyIdleMs: 20_000,
  /** Body of a function's answer: longer ones belong into storage. */
  responseBodyBytes: 2 * 1024 * 1024 * 1024,
  /** WebSockets to functions that a process holds at once. */
  openWebSockets: 1000,
  /** After one side of a WebSocket has ended, the other has this long to end as well. */
  webSocketCloseMs: 2_000,
  /** A connection without traffic is probed this often by the kernel, so that a client that is gone is noticed. */
  webSocketKeepAliveMs: 30_000,
  /** Calls of one function that may wait for an instance, beyond those that instances are being started for. */
  waitingCalls: 1000,
  /** How long a call waits for an instance, its start included, before it is told to come again later. */
  instanceWaitMs: 15_000,
  /** How long an event waits, whose function's budget is used up, until it is looked again. */
  budgetWaitMs: 5_000,
  /** How much of a failing function's answer goes into the delivery's error. */
  errorBodyBytes: 1024,
  /** The longest wait that a function may ask for with `Retry-After`. */
  retryAfterMs: 24 * 3600 * 1000,

  /** How long calls that are kept may speak for whoever made the first of them, through however many functions. */
  spokenForMs: 24 * 3600 * 1000,
  /** Calls of one function that wait to be made later. */
  queuedCalls: 10_000,
  /** Calls of a project that are kept, until a day after their end: their number, and their bytes with the answers'. */
  keptCalls: 100_000,
  keptCallBytes: 1024 * 1024 * 1024,
  /** Of these, what callers may keep who prove nothing: they must leave room for the others. */
  anonymousShare: 0.25,
  /** `Idempotency-Key` of a call that is answered later. */
  idempotencyKeyChars: 255,
  /** How long such a key stands for its call, and for how long after its end a call and its answer are kept. */
  callKeptMs: 24 * 3600 * 1000,
  /** Body of the answer to such a call: a larger one is not kept. */
  keptAnswerBytes: 512 * 1024,

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
  logFlushMs: 100,
  /** Log lines held while the database does not answer; beyond it the oldest are dropped, and that is logged. */
  heldLogLines: 20_000,
  /** Log lines of one listing. */
  listedLogLines: 1000,
  /** The text that is looked for in log lines. */
  logTextChars: 200,
  /** A search in logs that takes longer is given up: its answer says to narrow it. */
  logSearchMs: 5_000,
  /** Live tails at once, per server. */
  logTails: 50,
  /** Lines that a tail reads, and holds for its reader, at once. */
  tailPageLines: 100,
  /** A reader that is further behind than this loses what lies between, and is told how much. */
  tailLagLines: 10_000,
  /** Log lines removed with one statement. */
  sweptLogLines: 5_000,
  /** Places of the bundle that are led back to the sources in one log line. */
  mappedPositions: 100,
  /** Source maps kept parsed: their size unparsed in all, their number, and how long after their last use. */
  parsedSourceMapBytes: 4 * 1024 * 1024,
  parsedSourceMaps: 100,
  parsedSourceMapMs: 60_000,
  listedDeployments: 100,
} as const;
