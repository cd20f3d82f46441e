/** Bounds of what is counted, listed and budgeted. */
export const usageLimits = {
  /** A crash loses at most what was counted within this time (event invocations are written with their delivery). */
  flushMs: 250,
  /** Records held while the database does not answer; beyond it the oldest are dropped, and that is logged. */
  heldRecords: 50_000,
  /** People remembered as written already. */
  seenUsers: 100_000,
  /** Invocations of one listing. */
  listedInvocations: 1000,
} as const;
