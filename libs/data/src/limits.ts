/** Bounds on what one data API request may ask for. Beyond one of them the answer is PGRST100 naming the bound. */
export const limits = {
  /** The raw query string, in bytes. The front door's own bound on the whole URL is a little above. */
  queryBytes: 48 * 1024,
  /** Columns and embedded tables in `select`, at all levels together. */
  selectItems: 500,
  /** How deep embedded tables may nest; the table of the request is level 0. */
  embedDepth: 8,
  /** Conditions in all filters and logic trees together. */
  filters: 200,
  /** How deep `and=()` and `or=()` may nest. */
  logicDepth: 16,
  /** Values in one `in.()` list. */
  listElements: 10_000,
  /** Terms of all `order` parameters together. */
  orderTerms: 100,
  /** Arrows in one JSON path. */
  jsonPathSteps: 32,
  /**
   * Names in `columns`, `on_conflict`, a function call or the rows of a body; PostgreSQL's own bound on columns is 1600.
   * An object that a function takes whole may have more members.
   */
  columns: 1600,
  /** Lists and objects in each other in a row of a body. */
  bodyNesting: 10_000,
  /** A body of CSV when it is written as JSON, which takes some bytes more for each field. */
  csvJsonBytes: 64 * 1024 * 1024,
  /** What an error repeats of the names in a body, in characters; the rest is cut off. */
  namesInErrorsLength: 4096,
  /** Rows that one response holds at most; a larger `limit` is cut to it. */
  rows: 100_000,
  /** Bytes that one response holds at most. JavaScript ends at 512 MB for one string. */
  responseBytes: 64 * 1024 * 1024,
  /** Longest `Content-Location`, in bytes: Node.js refuses answers with 16 KB of headers, proxies often fewer. */
  contentLocationLength: 4 * 1024,
  /** `count=estimated` counts exactly up to here, unless rows are limited by a setting, which then counts. */
  exactCountRows: 1000,
  /** Statements that each database connection keeps prepared, at some 20 kB of PostgreSQL's memory each. */
  preparedStatements: 128,
  /** A statement is prepared at its this many-th use. */
  usesBeforePreparing: 4,
  /** Statements whose uses are counted. */
  countedStatements: 512,
  /** Longest text of a statement that is counted and prepared, in characters. */
  preparedTextLength: 8 * 1024,
  /** Ways in which a view that repeats columns may repeat one foreign key. */
  repeatedKeys: 64,
  /** Schemas of which types are generated at once. */
  typedSchemas: 50,
  /** Rows of one table, and their bytes as text, that policies are tried on to explain them. */
  explainedRows: 1000,
  explainedBytes: 4 * 1024 * 1024,
  /** How long that may take, in milliseconds. */
  explainMs: 10_000,
  /** While the schema is changing, what is not found is looked for in the catalogues once in this time, in milliseconds. */
  schemaReloadMs: 1000,
  /** Names compared when looking for what a misspelt table or function may have meant. */
  suggestionCandidates: 500,
  /** Requests in one batch. */
  batchRequests: 100,
  /** Body of a batch, and of each of its requests with what its references point at. */
  batchBodyBytes: 4 * 1024 * 1024,
  /** Path and query of each request of a batch, in characters: as much as of a request by itself. */
  batchPathLength: 64 * 1024,
  /** Headers of each request of a batch, in characters: as much as of a request by itself. */
  batchHeadersLength: 32 * 1024,
  /** Lists and objects in each other in the body of a batch: far from where a JSON parser runs out of stack. */
  batchNesting: 500,
  /** No request of a batch begins later than this after the first: until all are done the batch keeps its connection. */
  batchMs: 60_000,
  /** Rows that all requests of a batch answer or change. */
  batchRows: 100_000,
  /** Bodies of all responses of a batch. */
  batchResponseBytes: 16 * 1024 * 1024,
  /** One reference in a batch, in characters. */
  pointerLength: 1024,
} as const;
