/** Bounds of webhooks and of what is sent to URLs. */
export const limits = {
  /** A request to a URL in all, with its answer; a database trigger may name less. */
  timeoutMs: 20_000,
  /** What is read of an answer; what comes beyond it is cut off. */
  answerBytes: 16 * 1024,
  /** How much of a failing answer goes into the delivery's error. */
  errorBodyBytes: 1024,
  /** Requests to one target at once, by each worker. */
  sentAtOnce: 10,
  /** Tries to make the request of a database trigger before it is a dead letter. */
  requestAttempts: 8,

  /** Webhooks of a project. */
  webhooks: 100,
  nameChars: 64,
  urlChars: 2048,
  /** Columns that one names, and conditions on them, each of so many characters: as subscriptions of functions. */
  filterEntries: 100,
  conditionChars: 1000,
  /** Tries to tell a webhook of an event, by default and at most: 15 take about three quarters of an hour. */
  attempts: { min: 1, default: 15, max: 20 },
  /** Keys in one secret: the one that replaces another, and the other. */
  signingKeys: 2,
  /** Of the decoded key, as Standard Webhooks bounds it. */
  signingKeyBytes: { min: 24, max: 64 },
} as const;
