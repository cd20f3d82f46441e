/** Bounds of schedules. */
export const scheduleLimits = {
  perProject: 1000,
  nameChars: 100,
  cronChars: 200,
  /** A payload, as JSON. */
  payloadBytes: 64 * 1024,
  payloadNesting: 100,
  /** A run that comes later than this was missed: its schedule's `missed` decides. */
  lateMs: 5_000,
  /** The runs that `missed = "all"` makes up for: the newest. */
  missedRuns: 100,
  /** The runs that wait with `overlap = "queue"`: the newest. */
  waitingRuns: 100,
} as const;
