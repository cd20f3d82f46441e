/**
 * Every bound on input and work that does not belong to one feature. Features keep their own in a
 * `limits.ts` of theirs; each is documented here with its unit, and an input beyond it is a clear error.
 */
export const limits = {
  /** JSON request bodies of auth and management routes. GoTrue's own bound is 1 MB. */
  jsonBodyBytes: 1024 * 1024,
  /** Request bodies of the data API. */
  restBodyBytes: 16 * 1024 * 1024,
  /** Request headers in all; a JWT with many claims fits. */
  headerBytes: 32 * 1024,
  /** The path and query of a request. */
  urlBytes: 64 * 1024,
  /** Verified tokens remembered per project, so that a signature is checked once and not per request. */
  verifiedTokens: 10_000,
  /** An event's payload. */
  eventPayloadBytes: 512 * 1024,
  /** Lists and objects in each other in an event's payload: far from where a JSON parser runs out of stack. */
  eventNesting: 500,
  /** Functions waking functions: an event this deep in a chain is refused as a loop. */
  eventDepth: 16,
} as const;
