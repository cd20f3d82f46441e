import {
  derivedId,
  isRefusedData,
  type Clock,
  type Logger,
  type PlatformDatabase,
  type Sql,
} from '#libs/platform';
import { insertDeliveries, type NewDelivery } from '../delivery/deliveries.sql.js';
import { queueDeliveries } from '../delivery/record-deliveries.js';
import type { JobQueue } from '../queue/job-queue.js';
import { WakeableLoop } from '../wakeable-loop.js';
import { decide } from './due-runs.js';
import {
  advanceSchedule,
  claimSchedules,
  nextDueAt,
  scheduleClaimSize,
  schedulesChannel,
  type ClaimedSchedule,
} from './schedules.sql.js';

/** Schedules are looked at this often even when nothing is due: a notification may have been lost. */
const sweepMs = 30_000;
/** What is due and was not to be had is held by another scheduler, which is done with it soon. */
const heldElsewhereMs = 100;

/**
 * Fires the schedules of all projects. Any number of schedulers may run: a claim skips what another holds, and writes
 * its deliveries in the transaction that advances the schedule. A delivery's id depends only on the schedule and the
 * time that was due, so no time is fired twice. Which time it is, this machine's clock says.
 */
export class Scheduler {
  #stopListening: (() => Promise<void>) | undefined;
  readonly #loop: WakeableLoop;

  constructor(
    private readonly platform: PlatformDatabase,
    private readonly queue: JobQueue,
    private readonly clock: Clock,
    private readonly logger: Logger,
    /** Is told of runs that were recorded, each once. */
    private readonly onFired: (projectRef: string, runs: number) => void = () => {},
  ) {
    this.#loop = new WakeableLoop('Firing schedules', () => this.runOnce(), logger);
  }

  async start(): Promise<void> {
    this.#stopListening = await this.platform.listen(schedulesChannel, () => this.#loop.wake());
    this.#loop.wake();
  }

  async stop(): Promise<void> {
    await this.#stopListening?.();
    await this.#loop.stop();
  }

  /** Fires what is due now; returns in how many ms something is due again, or is to be looked at. */
  async runOnce(): Promise<number> {
    for (;;) {
      const { claimed, deliveries } = await this.#fireSome();
      for (const ref of new Set(deliveries.map(({ projectRef }) => projectRef))) {
        await this.#queueRuns(
          ref,
          deliveries.filter(({ projectRef }) => projectRef === ref),
        );
      }
      if (claimed < scheduleClaimSize) break;
    }
    const dueAt = await nextDueAt(this.platform);
    const waitMs = dueAt ? dueAt.getTime() - this.clock.now().getTime() : sweepMs;
    return waitMs > 0 ? Math.min(waitMs, sweepMs) : heldElsewhereMs;
  }

  /** They are there already: this adds their jobs, or the workers do it later. */
  async #queueRuns(projectRef: string, runs: readonly NewDelivery[]): Promise<void> {
    this.onFired(projectRef, runs.length);
    try {
      await queueDeliveries(this.platform, this.queue, projectRef, runs);
    } catch (error) {
      this.logger.warn(
        { err: error, project: projectRef },
        'Runs of schedules could not be queued; workers will',
      );
    }
  }

  /** One schedule whose run PostgreSQL does not take must not hold up the others: it is found, and its run is not made. */
  async #fireSome(): Promise<Fired> {
    try {
      return await this.platform.transaction((tx) => this.#fire(tx, insertAll));
    } catch (error) {
      if (!isRefusedData(error)) throw error;
      return this.platform.transaction((tx) => this.#fire(tx, (_tx, runs) => this.#insertEach(tx, runs)));
    }
  }

  async #fire(tx: Sql, insert: typeof insertAll): Promise<Fired> {
    const now = this.clock.now();
    const schedules = await claimSchedules(tx, now);
    const deliveries: NewDelivery[] = [];
    for (const schedule of schedules) {
      const { fire, ...after } = decide(schedule, now);
      deliveries.push(...fire.map((dueAt) => deliveryOf(schedule, dueAt)));
      await advanceSchedule(tx, schedule.id, { ...after, lastAt: fire.at(-1) ?? null });
      const line = { schedule: schedule.name, function: schedule.functionSlug, project: schedule.projectRef };
      if (after.skipped > 0)
        this.logger.warn({ ...line, skipped: after.skipped }, 'Runs of a schedule skipped');
      else this.logger.debug({ ...line, due: fire, next: after.nextAt }, 'Schedule fired');
    }
    return { claimed: schedules.length, deliveries: await insert(tx, deliveries) };
  }

  async #insertEach(tx: Sql, runs: readonly NewDelivery[]): Promise<readonly NewDelivery[]> {
    const inserted: NewDelivery[] = [];
    for (const run of runs) {
      await tx.query('savepoint run');
      try {
        await insertDeliveries(tx, [run]);
        await tx.query('release run');
        inserted.push(run);
      } catch (error) {
        if (!isRefusedData(error)) throw error;
        await tx.query('rollback to run');
        const line = { project: run.projectRef, function: run.functionSlug, due: run.occurredAt };
        this.logger.error({ err: error, ...line }, 'A run of a schedule cannot be recorded, and is not made');
      }
    }
    return inserted;
  }
}

async function insertAll(tx: Sql, runs: readonly NewDelivery[]): Promise<readonly NewDelivery[]> {
  if (runs.length > 0) await insertDeliveries(tx, runs);
  return runs;
}

/** What one claim came to. */
interface Fired {
  readonly claimed: number;
  readonly deliveries: readonly NewDelivery[];
}

function deliveryOf(schedule: ClaimedSchedule, dueAt: Date): NewDelivery {
  const eventId = derivedId(schedule.id, dueAt.toISOString());
  const record = JSON.stringify({ schedule: schedule.name, scheduled_for: dueAt });
  return {
    id: derivedId(eventId, schedule.id),
    projectRef: schedule.projectRef,
    subscriptionId: schedule.id,
    functionSlug: schedule.functionSlug,
    eventId,
    eventName: 'schedule.fired',
    // The payload goes in as the text that it is, so that each number stays what it was.
    payload: `{"record":${record.slice(0, -1)},"payload":${schedule.payload}}}`,
    requestId: eventId,
    depth: 0,
    occurredAt: dueAt,
    refusal: null,
  };
}
