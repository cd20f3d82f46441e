/**
 * The one error a feature throws on purpose. Each protocol's exception filter renders it in that
 * protocol's own shape; anything else that is thrown is a bug and answers 500 without its message.
 */
export class AppError extends Error {
  /** Stable machine-readable code in the vocabulary of the protocol that throws it, e.g. `PGRST205`, `NoSuchKey`. */
  readonly code: string;
  /** HTTP status to answer with. */
  readonly status: number;
  /** What the caller can do about it. */
  readonly hint: string | undefined;
  /** More about what was wrong: a text, or the things to choose from; the data API answers it as `details`. */
  readonly details: string | readonly object[] | undefined;
  /** Extra response headers, e.g. `Retry-After`. */
  readonly headers: Record<string, string> | undefined;

  constructor(options: {
    code: string;
    status: number;
    message: string;
    hint?: string | undefined;
    details?: string | readonly object[] | undefined;
    headers?: Record<string, string> | undefined;
    cause?: unknown;
  }) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = options.code;
    this.status = options.status;
    this.hint = options.hint;
    this.details = options.details;
    this.headers = options.headers;
  }
}

/** A start-up or command-line failure that the operator can mend: printed as one line, without a stack. */
export class OperatorError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'OperatorError';
  }
}
