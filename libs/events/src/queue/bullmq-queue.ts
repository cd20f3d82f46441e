import {
  DelayedError,
  Queue,
  Worker,
  type BackendFactory,
  type Job as BullJob,
  type WorkerOptions,
} from 'bullmq';
import type { Logger } from '#libs/platform';
import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Gate } from './gate.js';
import {
  HoldQueue,
  JobQueue,
  RetryLater,
  type Consumer,
  type Job,
  type NewJob,
  type QueueCounts,
} from './job-queue.js';
import { PatientWorker } from './patient-worker.js';
import { retryDelayMs } from './retry-delay.js';

/** A worker that died loses its jobs after this; while it lives it renews its locks at half of it. */
const lockMs = 6_000;
const stalledCheckMs = 2_000;
/** A job may lose its worker often (deploys, kills) without being to blame; the consumer's handler counts starts. */
const maxStalledCount = 1_000;
/** BullMQ counts in 32 bits. When to give up is the handler's to decide. */
const unlimitedAttempts = 2 ** 31 - 1;
/** How long the end of a job is waited for whose handler has ended. */
const endingMs = 1_000;
const endingPollMs = 20;
/**
 * Ended jobs go at once: whether a delivery was made stands in its row. To keep some would cost more with each that is
 * kept, as the end of a job on PostgreSQL goes through all of them.
 */
const ended = { removeOnComplete: true, removeOnFail: true };

/** What differs between BullMQ on PostgreSQL and on Redis. */
export interface BullBackend {
  readonly connection: unknown;
  /** Begins the names of all that is kept, where installations may share the backend. */
  readonly prefix: string | undefined;
  readonly factory: BackendFactory | undefined;
  /** Releases what the backend opened for all queues. */
  close(): Promise<void>;
}

/** {@link JobQueue} on BullMQ, on whichever backend it is given. */
export class BullMqQueue extends JobQueue {
  readonly #queues = new Map<string, Queue>();
  readonly #workers = new Set<PatientWorker>();

  constructor(
    private readonly backend: BullBackend,
    private readonly logger: Logger,
  ) {
    super();
  }

  async add(queue: string, jobs: readonly NewJob[]): Promise<void> {
    await this.#queue(queue).addBulk(jobs.map((job) => this.#bulkJob(job)));
  }

  async has(queue: string, id: string): Promise<boolean> {
    return (await this.#queue(queue).getJob(id)) !== undefined;
  }

  async ensure(queue: string, job: { id: string; data: unknown }): Promise<void> {
    const existing = await this.#queue(queue).getJob(job.id);
    if (existing && ((await existing.isCompleted()) || (await existing.isFailed()))) await existing.remove();
    await this.add(queue, [job]);
  }

  async hasten(queue: string, job: { id: string; data: unknown }): Promise<void> {
    const existing = await this.#queue(queue).getJob(job.id);
    if (!(await existing?.isDelayed())) return this.ensure(queue, job);
    // Its time may have come in between.
    await existing!.promote().catch(() => this.ensure(queue, job));
  }

  async reopen(queue: string, job: { id: string; data: unknown }): Promise<void> {
    for (let waitedMs = 0; waitedMs < endingMs; waitedMs += endingPollMs) {
      if ((await this.#queue(queue).getJobState(job.id)) !== 'active') break;
      await delay(endingPollMs);
    }
    await this.hasten(queue, job);
  }

  async consume(
    queue: string,
    options: { concurrency: number; held?: number; onRun?: (tookMs: number) => void },
    handle: (job: Job) => Promise<void>,
  ): Promise<Consumer> {
    const { concurrency, held = concurrency, onRun } = options;
    const abort = new AbortController();
    setMaxListeners(held, abort.signal);
    const workerOptions = {
      ...this.#keptAt,
      // It takes no more jobs before one of those under way has ended, whatever it is told: the gate does.
      concurrency: held,
      lockDuration: lockMs,
      stalledInterval: stalledCheckMs,
      maxStalledCount,
      settings: { backoffStrategy },
    } as WorkerOptions;
    const gate = new Gate(concurrency, onRun);
    let jobs = 0;
    const hold = (forMs: number) => this.#queue(queue).rateLimit(forMs);
    const process = async (job: BullJob, token?: string) => {
      jobs += 1;
      try {
        const letGo = () => worker.letGo(job.id!);
        await run(job, token, { closing: abort.signal, hold, letGo, turns: gate }, handle);
      } finally {
        jobs -= 1;
      }
    };
    const worker = new PatientWorker(queue, process, workerOptions, this.backend.factory as undefined);
    // Without a listener an `error` event would end the process; BullMQ reconnects by itself.
    worker.on('error', (error) =>
      this.logger.warn({ err: error, queue }, 'A queue consumer lost its connection'),
    );
    this.#workers.add(worker);
    await worker.waitUntilReady();
    return {
      get load() {
        return { jobs, waiting: gate.waiting, running: gate.running };
      },
      setConcurrency: (width, heldNow = width, ahead = 0) => {
        worker.concurrency = heldNow;
        gate.set(width, ahead);
      },
      close: async (graceMs) => {
        gate.close(new RetryLater('The consumer closes', 0, true));
        const timer =
          graceMs === undefined
            ? undefined
            : setTimeout(() => abort.abort(new Error('Shutting down')), graceMs);
        await worker.close();
        clearTimeout(timer);
        this.#workers.delete(worker);
      },
    };
  }

  async counts(queue: string): Promise<QueueCounts> {
    const counts = await this.#queue(queue).getJobCounts('wait', 'prioritized', 'active', 'delayed');
    return {
      waiting: (counts['wait'] ?? 0) + (counts['prioritized'] ?? 0),
      active: counts['active'] ?? 0,
      delayed: counts['delayed'] ?? 0,
    };
  }

  async obliterate(queue: string): Promise<void> {
    await this.#queue(queue).obliterate({ force: true });
    await this.#queues.get(queue)?.close();
    this.#queues.delete(queue);
  }

  async close(): Promise<void> {
    // Consumers that are still open lose their jobs to the next worker.
    await Promise.all([...this.#workers].map((worker) => worker.close(true)));
    this.#workers.clear();
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
    this.#queues.clear();
    await this.backend.close();
  }

  get #keptAt() {
    const { connection, prefix } = this.backend;
    return { connection, ...(prefix !== undefined && { prefix }) };
  }

  #queue(name: string): Queue {
    const existing = this.#queues.get(name);
    if (existing) return existing;
    const options = this.#keptAt as ConstructorParameters<typeof Queue>[1];
    const queue = new Queue(name, options as never, this.backend.factory as undefined);
    queue.on('error', (error) =>
      this.logger.warn({ err: error, queue: name }, 'A queue lost its connection'),
    );
    this.#queues.set(name, queue);
    return queue;
  }

  #bulkJob(job: NewJob) {
    return {
      name: 'delivery',
      data: job.data,
      opts: {
        jobId: job.id,
        attempts: unlimitedAttempts,
        backoff: { type: 'custom' },
        ...ended,
        ...(job.delayMs && { delay: job.delayMs }),
      },
    };
  }
}

/** How long until the next try: what the handler asked for, else the standard delay. */
function backoffStrategy(attemptsMade: number, _type?: string, error?: Error): number {
  if (error instanceof RetryLater && error.afterMs !== undefined) return error.afterMs;
  return retryDelayMs(attemptsMade);
}

/** What a job needs of its consumer. */
interface Held {
  readonly closing: AbortSignal;
  readonly turns: Gate;
  /** Lets nothing of the queue begin for a while. */
  hold(forMs: number): Promise<void>;
  /** It is not kept from others any more. */
  letGo(): void;
}

async function run(
  job: BullJob,
  token: string | undefined,
  { closing, hold, letGo, turns }: Held,
  handle: (job: Job) => Promise<void>,
): Promise<void> {
  // A signal of the job's own: what listens to it goes with the job, while the consumer may live for months.
  const abort = new AbortController();
  // Each of its deliveries listens.
  setMaxListeners(0, abort.signal);
  const onClosing = () => abort.abort(closing.reason);
  if (closing.aborted) onClosing();
  closing.addEventListener('abort', onClosing);
  try {
    const { id, data, attemptsMade: failures } = job;
    await handle({ id: id!, data, failures, signal: abort.signal, turns });
  } catch (error) {
    if (error instanceof HoldQueue) {
      await hold(error.forMs);
      throw Worker.RateLimitError();
    }
    if (!(error instanceof RetryLater && error.uncounted)) throw error;
    letGo();
    await job.moveToDelayed(Date.now() + (error.afterMs ?? retryDelayMs(1)), token);
    throw new DelayedError();
  } finally {
    closing.removeEventListener('abort', onClosing);
  }
}
