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
  /** What `Retry-After` tells a caller that finds the queue full. */
  retryAfterSeconds: 1,
} as const;
