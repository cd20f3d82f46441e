/** A job as its consumer sees it. */
export interface Job {
  /** Unique within its queue; a job that is added twice is one job. */
  readonly id: string;
  readonly data: unknown;
  /** Tries that failed before this one. */
  readonly failures: number;
  /** Aborted when the consumer is closed and its grace is over. */
  readonly signal: AbortSignal;
  /** What it does in turn with the other jobs of its consumer, which together do no more at once than they may. */
  readonly turns: Turns;
}

/** A job that is to be added. */
export interface NewJob {
  readonly id: string;
  readonly data: unknown;
  /** It is not tried before this is over. */
  readonly delayMs?: number;
}

export interface Turns {
  /**
   * Does one of the things that the consumer may do at once, when its turn has come.
   * @throws RetryLater when the consumer closes before
   */
  run<T>(work: () => Promise<T>): Promise<T>;

  /**
   * Waits until some of `most` things may be prepared, so that they can run soon. Resolves to how many, each of which is
   * to be given back; to 0 when that takes longer than `patienceMs`, or the consumer closes.
   */
  reserve(most: number, patienceMs: number): Promise<number>;

  giveBack(): void;
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
  readonly load: ConsumerLoad;
  /**
   * How much it does at a time from now on, what is under way goes on; how many jobs it holds, which are more once one has
   * ended; and how much may be prepared ahead.
   */
  setConcurrency(concurrency: number, held?: number, ahead?: number): void;
  /** Takes no more jobs; those under way may go on for `graceMs`, then their signals abort. Resolves when all have ended. */
  close(graceMs?: number): Promise<void>;
}

/** What a consumer has. */
export interface ConsumerLoad {
  /** Jobs. */
  readonly jobs: number;
  /** Of the things that they are to do, those that wait for their turn. */
  readonly waiting: number;
  /** And those that are being done. */
  readonly running: number;
}

export interface QueueCounts {
  readonly waiting: number;
  readonly active: number;
  readonly delayed: number;
}

/**
 * Named queues of jobs. The rules for adapters, each checked by the contract suite in test/events:
 * - `add` is durable when it resolves, and adding an id that waits or is under way is a no-op. What has ended is
 *   forgotten: whoever handles a job knows by itself whether it was done already.
 * - A job is held by one consumer at a time; a consumer that dies loses it within `lockMs` and half as much again.
 * - A handler that throws has its job tried again after `retryDelayMs`, for ever: when to give up is the handler's
 *   to decide, by returning.
 * - `close` of a consumer lets its jobs end; jobs are never lost by it.
 */
export abstract class JobQueue {
  abstract add(queue: string, jobs: readonly NewJob[]): Promise<void>;

  /** Whether it waits or is under way. */
  abstract has(queue: string, id: string): Promise<boolean>;

  /** Makes sure that a job which should exist does: adds it again if the queue lost it or thinks it ended. */
  abstract ensure(queue: string, job: { id: string; data: unknown }): Promise<void>;

  /** The same; and a job that waits for a later moment is tried at once. */
  abstract hasten(queue: string, job: { id: string; data: unknown }): Promise<void>;

  /**
   * The same for a job whose work was done and is to be done once more. It may still be known for a moment after its
   * handler ended, and adding it in that moment would add nothing: its end is waited for.
   */
  abstract reopen(queue: string, job: { id: string; data: unknown }): Promise<void>;

  /**
   * `handle` gets jobs, up to `held` at a time, which are kept from other consumers. What it does in `turns` is done at
   * most `concurrency` at once; `onRun` is told how long each took.
   */
  abstract consume(
    queue: string,
    options: { concurrency: number; held?: number; onRun?: (tookMs: number) => void },
    handle: (job: Job) => Promise<void>,
  ): Promise<Consumer>;

  abstract counts(queue: string): Promise<QueueCounts>;

  /** Removes the queue and all its jobs. */
  abstract obliterate(queue: string): Promise<void>;

  abstract close(): Promise<void>;
}
