import {
  endDeliveriesToNobody,
  functionsWithWork,
  jobOf,
  JobQueue,
  leaveParcel,
  maxOpenConsumers,
  openDeliveries,
  type OpenDelivery,
  queueNameOf,
  workChannel,
  type Consumer,
  type Job,
  type QueueCounts,
} from '#libs/events';
import { backoffMs, type Logger, type PlatformDatabase } from '#libs/platform';
import type { Autoscaler, BusyFunction } from './autoscaler.js';

/** How often functions with work are looked for beside the notifications. */
const sweepMs = 1_000;
/** A delivery that has been open for this long is made sure of having a job (Redis may have lost it). */
const reconcileAfterMs = 15_000;
const reconcileEveryMs = 10_000;
const reconcileBatch = 500;
/** How soon after more work has come its function is scaled. */
const scaleSoonMs = 100;
/** How long a consumer stays open without work, so that a steady trickle does not open and close it. */
const lingerMs = 2_000;

interface OpenConsumer {
  readonly opening: Promise<Consumer>;
  /** When it last had work, or was opened. */
  busyAt: number;
  readonly openedAt: number;
  isOpen: boolean;
  isScaling: boolean;
  scaling?: NodeJS.Timeout;
  /** Set while it lets its last jobs end. */
  closing?: Promise<void>;
}

/**
 * Holds a consumer open for each function that has work, and for no other: a thousand idle functions cost nothing.
 *
 * closed → open: a notification or the sweep names the function. open → closed: the sweep no longer names it and
 * `lingerMs` have passed; or all places are taken and others wait, then the one that has been open longest goes, and
 * comes back at the end of the line.
 */
export class Consumers {
  readonly #open = new Map<string, OpenConsumer>();
  readonly #waiting = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #reconciledAt = 0;
  #reconciled: OpenDelivery | undefined;
  #stopListening: (() => Promise<void>) | undefined;
  #sweeping: Promise<void> = Promise.resolve();
  #stopped = false;
  /** Of the sweep, in a row. */
  #failures = 0;

  constructor(
    private readonly queue: JobQueue,
    private readonly database: PlatformDatabase,
    private readonly autoscaler: Autoscaler,
    private readonly handle: (job: Job, of: { projectRef: string; functionSlug: string }) => Promise<void>,
    /** Whether a function's budget is used up: its consumer closes as if it had no work, which waits in the queue. */
    private readonly isHeld: (projectRef: string, functionSlug: string) => boolean,
    private readonly logger: Logger,
  ) {}

  async start(): Promise<void> {
    this.#stopListening = await this.database.listen(workChannel, (payload) => {
      const [projectRef, functionSlug] = payload.split('/');
      if (projectRef && functionSlug) this.#want(projectRef, functionSlug);
    });
    await this.#sweep();
  }

  /** Lets the jobs under way end within `graceMs`, then cuts them off. */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#stopListening?.();
    await this.#sweeping;
    await Promise.all([...this.#open].map(([key, consumer]) => this.#close(key, consumer, graceMs)));
  }

  /** The queues that are being served, each with its counts. */
  async queues(): Promise<({ projectRef: string; functionSlug: string } & QueueCounts)[]> {
    return Promise.all(
      [...this.#open.keys()].map(async (key) => {
        const [projectRef, functionSlug] = key.split('/') as [string, string];
        return {
          projectRef,
          functionSlug,
          ...(await this.queue.counts(queueNameOf(projectRef, functionSlug))),
        };
      }),
    );
  }

  #want(projectRef: string, functionSlug: string): void {
    if (this.#stopped) return;
    const key = `${projectRef}/${functionSlug}`;
    if (this.isHeld(projectRef, functionSlug)) return void this.#waiting.delete(key);
    const existing = this.#open.get(key);
    if (existing) {
      existing.busyAt = Date.now();
      this.#scaleSoon(key, existing);
    } else if (this.#open.size < maxOpenConsumers) {
      this.#waiting.delete(key);
      const now = Date.now();
      const opening = this.#consume(projectRef, functionSlug);
      const consumer: OpenConsumer = { opening, busyAt: now, openedAt: now, isOpen: false, isScaling: false };
      this.#open.set(key, consumer);
      opening.then(
        () => (consumer.isOpen = true),
        (error: unknown) => {
          // The next sweep tries again.
          this.#open.delete(key);
          this.logger.warn({ err: error, function: functionSlug }, 'A queue could not be opened');
        },
      );
    } else {
      this.#waiting.add(key);
    }
  }

  async #consume(projectRef: string, functionSlug: string): Promise<Consumer> {
    const { now, held } = await this.autoscaler.jobsAtOnce({ projectRef, functionSlug });
    const onRun = (tookMs: number) => this.autoscaler.noteRun(projectRef, functionSlug, tookMs);
    const options = { concurrency: now, held, onRun };
    return this.queue.consume(queueNameOf(projectRef, functionSlug), options, (job) =>
      this.handle(job, { projectRef, functionSlug }),
    );
  }

  async #sweep(): Promise<void> {
    let waitMs = sweepMs;
    this.#sweeping = this.#sweepOnce().then(
      () => void (this.#failures = 0),
      (error: unknown) => {
        this.logger.warn({ err: error }, 'Functions with work could not be looked up; trying again');
        waitMs = Math.max(sweepMs, backoffMs(this.#failures++));
      },
    );
    await this.#sweeping;
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#sweep(), waitMs).unref();
  }

  async #sweepOnce(): Promise<void> {
    const busy = await functionsWithWork(this.database);
    for (const { projectRef, functionSlug } of busy) this.#want(projectRef, functionSlug);
    // Not awaited: one that is slow to be looked at must not hold up the others.
    for (const each of busy) void this.#scale(each);
    const now = Date.now();
    const open = [...this.#open].filter(([, consumer]) => !consumer.closing);
    const done = open.filter(([, consumer]) => now - consumer.busyAt > lingerMs);
    if (done.length === 0 && this.#waiting.size > 0) {
      done.push(...open.toSorted(([, a], [, b]) => a.openedAt - b.openedAt).slice(0, 1));
    }
    // Not awaited: a job that runs for minutes must not hold up the other functions.
    for (const [key, consumer] of done) void this.#close(key, consumer);
    for (const key of this.#waiting) this.#want(...(key.split('/') as [string, string]));
    if (now - this.#reconciledAt > reconcileEveryMs) await this.#reconcile(now);
  }

  /** When more has come: much may have, and a second is long. */
  #scaleSoon(key: string, consumer: OpenConsumer): void {
    const [projectRef, functionSlug] = key.split('/') as [string, string];
    consumer.scaling ??= setTimeout(() => {
      delete consumer.scaling;
      void this.#scale({ projectRef, functionSlug });
    }, scaleSoonMs).unref();
  }

  async #scale(busy: BusyFunction): Promise<void> {
    const consumer = this.#open.get(`${busy.projectRef}/${busy.functionSlug}`);
    // One that is being opened is scaled by that.
    if (!consumer?.isOpen || consumer.closing || consumer.isScaling) return;
    consumer.isScaling = true;
    try {
      const opened = await consumer.opening;
      const { now, held, ahead } = await this.autoscaler.jobsAtOnce({ ...busy, own: opened.load });
      opened.setConcurrency(now, held, ahead);
    } catch (error) {
      this.logger.warn({ err: error, function: busy.functionSlug }, 'A queue could not be looked at');
    } finally {
      consumer.isScaling = false;
    }
  }

  async #reconcile(now: number): Promise<void> {
    this.#reconciledAt = now;
    await endDeliveriesToNobody(this.database, reconcileAfterMs);
    const open = await this.database.transaction((tx) =>
      openDeliveries(tx, reconcileAfterMs, reconcileBatch, this.#reconciled),
    );
    // From the beginning again after the last: what cannot end soon must not keep the others from being looked at.
    this.#reconciled = open.length < reconcileBatch ? undefined : open.at(-1);
    const lost = new Map<string, boolean>();
    for (const delivery of open) await this.#ensureJob(delivery, lost);
  }

  /** @param lost whether parcels have no job any more, as far as that is known */
  async #ensureJob(delivery: OpenDelivery, lost: Map<string, boolean>): Promise<void> {
    const { id, projectRef, functionSlug, parcelId } = delivery;
    const name = queueNameOf(projectRef, functionSlug);
    if (parcelId === null) return this.queue.ensure(name, jobOf(id));
    const isLost = lost.get(parcelId) ?? !(await this.queue.has(name, parcelId));
    lost.set(parcelId, isLost);
    if (isLost) await leaveParcel(this.database, this.queue, delivery, { id: parcelId, deliveryIds: [id] });
  }

  /** May be called again, with a grace, for a consumer that is closing already. */
  #close(key: string, consumer: OpenConsumer, graceMs?: number): Promise<void> {
    const closing = consumer.opening
      .then((opened) => opened.close(graceMs))
      .catch((error: unknown) =>
        this.logger.warn({ err: error, queue: key }, 'A queue did not close cleanly'),
      )
      .finally(() => {
        this.#open.delete(key);
        this.autoscaler.rest(...(key.split('/') as [string, string]));
      });
    consumer.closing ??= closing;
    return closing;
  }
}
