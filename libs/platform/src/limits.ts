/**
 * Every bound on input and work that does not belong to one feature. Features keep their own in a
 * `limits.ts` of theirs; each is documented here with its unit, and an input beyond it is a clear error.
 */
export const limits = {
  /** JSON request bodies of auth and management routes. GoTrue's own bound is 1 MB. */
  jsonBodyBytes: 1024 * 1024,
  /** Request bodies of the data API, which PostgreSQL parses. */
  textBodyBytes: 16 * 1024 * 1024,
  /** Bodies that this process collects at the same time, all together. */
  heldBodyBytes: 256 * 1024 * 1024,
  /** A body up to this size finds room beside those, so that large ones cannot keep it out. */
  smallBodyBytes: 64 * 1024,
  smallBodiesBytes: 32 * 1024 * 1024,
  /** A body that is collected must arrive within this. */
  bodyMs: 60_000,
  /** And, once it is not small any more, bring so much in each of these spans: what a poor mobile link does. */
  bodyPaceBytes: 32 * 1024,
  bodyPaceMs: 15_000,
  /** What a client may go on sending after its request was answered, and for how long, before it is cut off. */
  discardedBytes: 100 * 1024 * 1024,
  discardMs: 60_000,
  /** How long after a statement was to be cancelled that is asked again. */
  cancelAgainMs: 1_000,
  /** Any request must arrive within this, an upload over a slow line too. */
  requestMs: 15 * 60_000,
  /** Request headers in all; a JWT with many claims fits. */
  headerBytes: 32 * 1024,
  /** The path and query of a request. */
  urlBytes: 64 * 1024,
  /** Verified tokens remembered per project, so that a signature is checked once and not per request: their text. */
  verifiedTokenBytes: 16 * 1024 * 1024,
  /** A longer token is verified each time. */
  rememberedTokenBytes: 8 * 1024,
  /** Personal access tokens of an installation, and the name of one. */
  accessTokens: 1000,
  accessTokenNameChars: 100,
  /** How long a name server is waited for, at each of two tries, where a name may be anybody's. */
  nameServerMs: 2_500,
  /** Callers' statements that wait for a connection to a project's database. */
  waitingStatements: 1000,
  /** An event's payload. */
  eventPayloadBytes: 512 * 1024,
  /** Events of row changes that one request may cause; `galley.append_event` of the project's database keeps to it. */
  requestEvents: 10_000,
  /** Lists and objects in each other in an event's payload: far from where a JSON parser runs out of stack. */
  eventNesting: 500,
  /** Functions waking functions: an event this deep in a chain is refused as a loop. */
  eventDepth: 16,
  /** Deliveries that all events which one request led to through functions may make within that time. */
  chainDeliveries: 10_000,
  chainMs: 10 * 60_000,
} as const;
