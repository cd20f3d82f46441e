/** How the host's processes are shared out. */
export const poolLimits = {
  /** A function that has a process keeps it this long before it must yield it to a function that has none. */
  turnMs: 100,
  /** Work after the answer (`EdgeRuntime.waitUntil`) gets at least this long before its process makes room for others. */
  backgroundTurnMs: 1_000,
  /** When a process ends, work on it that is about to finish with a whole answer gets this long to do so. */
  lastAnswerMs: 100,
  /** An instance that is kept ready and ends before it lived this long is replaced later and later: */
  stableMs: 10_000,
  /** after this long at first, then each time twice as long, */
  restartMs: 1_000,
  /** up to this. */
  longestRestartMs: 60_000,
  /** Of each so long, what becomes free is kept for this long for a function that needs more than that. */
  passedOverMs: 10_000,
  roomKeptMs: 2_000,
  /** How many instances a call tries that take no connection, because their processes died this moment. */
  reachTries: 3,
  /** An unused instance is kept for what its function's gaps between calls suggest, but between these; */
  shortestIdleMs: 10_000,
  longestIdleMs: 10 * 60_000,
  /** and for this until so many gaps are known. A cold start takes some 30 ms, so there is little to wait for. */
  usualIdleMs: 30_000,
  knownGaps: 10,
  /** The share of gaps that an instance is kept through. */
  keptGapShare: 0.99,
  /** Gaps of one function that count, older ones less; and functions whose gaps are remembered. */
  rememberedGaps: 200,
  rememberedFunctions: 1_000,
  /** What `Retry-After` tells a caller that finds the queue full. */
  retryAfterSeconds: 1,
} as const;
