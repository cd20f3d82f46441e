/** Bounds of what is counted, listed and budgeted. */
export const usageLimits = {
  /** A crash loses at most what was counted within this time (event invocations are written with their delivery). */
  flushMs: 250,
  /** Records held while the database does not answer; beyond it the oldest are dropped, and that is logged. */
  heldRecords: 50_000,
  /** People remembered as written already. */
  seenUsers: 100_000,
  /** How long the period of a report may be, and one that is told by the hour. */
  periodDays: 400,
  hourlyDays: 31,
  /** Budgets of a project. */
  budgets: 200,
  /** How old what is known of budgets and of what is used may be while there are calls; after a pause it is waited for. */
  budgetRefreshMs: 1_000,
  budgetStaleMs: 5_000,
  /** After this an invocation that ended here and was not written will not be. */
  budgetUnseenMs: 60_000,
  /** From so many invocations of a day on, what they held at the peak of this hour is not worked out more often. */
  manyInvocations: 100_000,
  peakAgeMs: 60_000,
  /** How often it is looked at what is stored. */
  gaugeMs: 3_600_000,
  /** Invocations of one listing. */
  listedInvocations: 1000,
} as const;
