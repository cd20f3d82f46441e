export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** undefined: no body. */
  readonly body: string | undefined;
}
