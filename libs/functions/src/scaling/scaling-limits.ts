/** How fast the instances of a function follow its queue. */
export const scalingLimits = {
  /** How often it is decided. */
  everyMs: 1_000,
  /** How long a job should wait at most. */
  targetWaitMs: 5_000,
  /** The part of what its instances can do that a function is meant to use: the rest is for what comes meanwhile. */
  targetUse: 0.7,
  /** What an invocation is taken to last until one has ended. */
  assumedServiceMs: 1_000,
  /** How much the newest invocation counts in the average of how long they take. */
  serviceWeight: 0.1,
  stableWindowMs: 60_000,
  panicWindowMs: 6_000,
  /** So much more is wanted than there is that it is a panic. */
  panicRatio: 2,
  /** What was wanted is kept for this long. */
  downWindowMs: 60_000,
  /** So many more at once, or twice as many. */
  stepUp: 4,
} as const;
