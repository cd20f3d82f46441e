/** What the data API sees of an HTTP request. */
export interface HttpRequest {
  readonly method: string;
  /** Below `/rest/v1/`, still percent-encoded: `posts`, `rpc/add`. */
  readonly path: string;
  /** Raw query string without `?`. */
  readonly query: string;
  /** By lower-case name; repeated ones joined by `, `. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Bytes where they are said to be no text, or are none: not UTF-8. */
  readonly body: string | Buffer | undefined;
}
