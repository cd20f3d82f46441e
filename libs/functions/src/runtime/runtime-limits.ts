/** Bounds on a function's process and on what it may write. All are per instance unless they say otherwise. */
export const runtimeLimits = {
  /** A boot (spawn, module evaluation, first listen) longer than this is a `BOOT_ERROR`; a spec may ask for less. */
  bootTimeoutMs: 10_000,
  /** The least memory an instance may be given; Deno itself needs about 15 MB of private memory. */
  minMemoryBytes: 32 * 1024 * 1024,
  /** Log records of one instance passed on per `logWindowMs`; what is more is dropped and counted. Supabase's numbers. */
  logLinesPerWindow: 100,
  logWindowMs: 10_000,
  /** Characters kept of one log record. */
  logLineChars: 10_000,
  /** Output read per `logWindowMs`; beyond it the pipe is left full, so a flood costs its writer and not the server. */
  logBytesPerWindow: 8 * 1024 * 1024,
  /** Invocations that an instance's log records may name as their writers, the last that began: more than run at once. */
  rememberedInvocations: 1_000,
  /** The end of standard error kept to explain a failed boot. */
  stderrTailChars: 4_000,
  /** Open files and sockets. */
  openFiles: 256,
  /** Threads of one instance; where a deployment's instances share a user id, of all of them together. */
  threads: 1024,
  /** Any one file that the process may write: in effect Deno's own code cache. */
  fileBytes: 64 * 1024 * 1024,
  /** Names and values of the environment together; Linux refuses a single entry above 128 KiB. */
  environmentBytes: 96 * 1024,
  environmentNames: 200,
  /** Hosts that one function may declare. */
  allowedHosts: 200,
  /** Connections that one instance may have open to declared hosts. */
  egressConnections: 256,
  /** Names that one instance may connect to: a `*.host` permits any number. */
  egressNames: 1000,
  /** Names that one instance may ask for in a second by datagrams; beyond it none are read any more. */
  egressDatagramsPerSecond: 1000,
  /** Refused destinations of one instance that are told in its log. */
  egressRefusalsTold: 20,
  /** How long a declared host is dialled. */
  egressConnectMs: 10_000,
  /** Headers of a request to a declared host when its secrets are in them. */
  egressHeaderBytes: 64 * 1024,
  /** Requests that a function may send on one connection before the first is answered, where they are looked at. */
  egressRequestsAhead: 8,
  /** Certificates for declared hosts that are kept, of all functions of this process together. */
  egressCertificates: 1000,
  /** What the loader answers to being told which function it is for. */
  bootAnswerBytes: 1024,
  /** Files of a jail: the code, Deno's own and what the function writes to /tmp. They are in memory. */
  jailDiskBytes: 96 * 1024 * 1024,
  jailFiles: 4096,
  /** Processes without a function that are held ready at most, and the starts in a window that one more is held for. */
  warmProcesses: 8,
  startsPerWarmProcess: 10,
  warmWindowMs: 60_000,
  /** How long after the end of one another is started in its place. */
  warmAgainMs: 1_000,
  /** How long after a start the process and the jail are made ready that the next starts will find. */
  refillMs: 50,
  /** A start that failed before the function's code could run is tried again within this. */
  startAgainMs: 3_000,
  /** The memory that they are started with; a function with more gets a process of its own from the start. */
  warmMemoryBytes: 256 * 1024 * 1024,
  /** Code from this size on starts sooner in a new process with what V8 has compiled of it than in one that waits. */
  largeCodeBytes: 256 * 1024,
  /** How often memory and processor time are looked at from outside while instances exist. */
  lookMs: 100,
  /** Invocations that begin and end closer together than this are measured together, their memory less often still. */
  meterMs: 1,
  memoryMeterMs: 5,
  /**
   * An instance on which no invocation runs spins when its main thread ran for this long, and had something to do for
   * this share of the time. Tidying up after an answer takes a few milliseconds.
   */
  spinMs: 10,
  spinShare: 0.8,
  /**
   * What all threads of an instance together may use while nothing is asked of it: to tidy up after an answer, and a
   * share of the time for timers. Beyond it the instance is killed.
   */
  idleCpuMs: 250,
  idleCpuShare: 0.05,
  /** Unpaid processor time is told once it is this much, and at the process's end. */
  unclaimedCpuMs: 50,
  /** How long after the last answer the announcement of its background work may come. */
  noticeMs: 100,
  /** What a process that listens for `beforeunload` has until it is killed; less of it when its time is up already. */
  unloadMs: 1_000,
  overtimeUnloadMs: 50,
  /** How long the body of an answer may stand still while somebody waits for it: Supabase's idle time. */
  answerIdleMs: 150_000,
  /** Response headers of a function. */
  responseHeaderBytes: 64 * 1024,
  responseHeaders: 1_000,
  /** Unpacked deployments kept on disk; the longest unused are removed first. */
  deploymentDirectories: 256,
  /** The longest path a Unix socket can have: `sun_path` is 108 bytes on Linux, 104 on macOS, with a final zero. */
  socketPathBytes: 103,
} as const;
