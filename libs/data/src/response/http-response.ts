export interface HttpResponse {
  readonly status: number;
  /** The words after the status, where they are not HTTP's own. */
  readonly statusText?: string | undefined;
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** undefined: no body. */
  readonly body: string | Buffer | undefined;
}
