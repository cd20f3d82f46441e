/** A job as its consumer sees it. */
export interface Job {
  /** Unique within its queue; a job that is added twice is one job. */
  readonly id: string;
  readonly data: unknown;
  /** Tries that failed before this one. */
  readonly failures: number;
  /** Aborted when the consumer is closed and its grace is over. */
  readonly signal: AbortSignal;
}

/** Thrown by a consumer's handler to choose when the job is tried again. */
export class RetryLater extends Error {
  constructor(
    message: string,
    /** What the function asked for (`Retry-After`), else the queue's own backoff applies. */
    readonly afterMs?: number,
    /** Nothing was tried (no instance was free, say): this does not count as a failure. */
    readonly uncounted = false,
  ) {
    super(message);
    this.name = 'RetryLater';
  }
}

/** Thrown by a consumer's handler: for a while nothing of its queue is to be begun. The job is not counted as tried. */
export class HoldQueue extends Error {
  constructor(readonly forMs: number) {
    super(`Nothing is begun for ${forMs} ms`);
    this.name = 'HoldQueue';
  }
}

export interface Consumer {
  /** Jobs that it holds and does not run yet. */
  readonly heldBack: number;
  /** How many jobs it runs at a time from now on, those under way go on. More are held once one has ended. */
  setConcurrency(concurrency: number, held?: number): void;
  /** Takes no more jobs; those under way may go on for `graceMs`, then their signals abort. Resolves when all have ended. */
  close(graceMs?: number): Promise<void>;
}

export interface QueueCounts {
  readonly waiting: number;
  readonly active: number;
  readonly delayed: number;
}

/**
 * Named queues of jobs. The rules for adapters, each checked by the contract suite in test/events:
 * - `add` is durable when it resolves, and adding an id that is still known is a no-op.
 * - A job is held by one consumer at a time; a consumer that dies loses it within `lockMs` and half as much again.
 * - A handler that throws has its job tried again after `retryDelayMs`, for ever: when to give up is the handler's
 *   to decide, by returning.
 * - `close` of a consumer lets its jobs end; jobs are never lost by it.
 */
export abstract class JobQueue {
  abstract add(queue: string, jobs: readonly { id: string; data: unknown }[]): Promise<void>;

  /** Makes sure that a job which should exist does: adds it again if the queue lost it or thinks it ended. */
  abstract ensure(queue: string, job: { id: string; data: unknown }): Promise<void>;

  /** The same; and a job that waits for a later moment is tried at once. */
  abstract hasten(queue: string, job: { id: string; data: unknown }): Promise<void>;

  /**
   * The same for a job whose work was done and is to be done once more. It may still be known for a moment after its
   * handler ended, and adding it in that moment would add nothing: its end is waited for.
   */
  abstract reopen(queue: string, job: { id: string; data: unknown }): Promise<void>;

  /** `handle` gets jobs, at most `concurrency` at a time; up to `held` are kept from other consumers for it. */
  abstract consume(
    queue: string,
    options: { concurrency: number; held?: number },
    handle: (job: Job) => Promise<void>,
  ): Promise<Consumer>;

  abstract counts(queue: string): Promise<QueueCounts>;

  /** Removes the queue and all its jobs. */
  abstract obliterate(queue: string): Promise<void>;

  abstract close(): Promise<void>;
}
