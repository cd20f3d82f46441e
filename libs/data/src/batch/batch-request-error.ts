export interface FailedRequest {
  /** From 0. */
  readonly index: number;
  readonly id?: string | undefined;
}

/** An error of one request of a batch; nothing of the batch was done. */
export class BatchRequestError extends Error {
  constructor(
    readonly request: FailedRequest,
    override readonly cause: unknown,
  ) {
    super(`Request ${request.index} of a batch failed`);
    this.name = 'BatchRequestError';
  }
}
