/** What a statement gave. */
export interface QueryResult {
  /** The response body, written by PostgreSQL. */
  readonly body: string | Buffer;
  readonly pageTotal: number;
  /** Rows in all, if they were counted or estimated. */
  readonly total: number | undefined;
  /** Names and values of the columns that identify a single new row. */
  readonly location: readonly (readonly [column: string, value: string | null])[] | undefined;
  /** Rows that an upsert inserted rather than merged. */
  readonly inserted: number | undefined;
  /** Rows that were changed, where the response may leave out some of them. */
  readonly changed: number | undefined;
  /** What the transaction has set `response.headers` and `response.status` to. */
  readonly responseHeaders: string | undefined;
  readonly responseStatus: string | undefined;
}
