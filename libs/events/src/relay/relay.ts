import { derivedId, type Logger, type PlatformDatabase, type Project } from '#libs/platform';
import type { CommittedEvent } from '../catalogue.js';
import { subscriptionsTo, type Delivery, type NewDelivery } from '../delivery/deliveries.sql.js';
import { recordDeliveries } from '../delivery/record-deliveries.js';
import { matches, type Subscription } from '../delivery/subscription.js';
import { claimEvents, claimSize, completeEvents } from '../outbox.js';
import type { JobQueue } from '../queue/job-queue.js';
import { insertRequests } from '../requests/delivery-requests.sql.js';
import { refusalOf } from './refusal.js';
import { requestedDelivery } from './requested-delivery.js';

/** The outbox is looked at this often even without a notification: leases of relays that died run out. */
const pollMs = 2_000;
const retryMs = 500;

/**
 * Carries a project's committed events to the queues of the functions that want them.
 *
 * claim (lease) → record deliveries → add jobs → remove from the outbox. A crash after any step repeats it from the
 * claim; the delivery's id depends only on event and subscription, so a repetition finds its own work done. Any
 * number of relays may run: a claim skips rows that another holds.
 */
export class Relay {
  #stopListening: (() => Promise<void>) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #wanted = false;
  #stopped = false;

  constructor(
    private readonly project: Project,
    private readonly platform: PlatformDatabase,
    private readonly queue: JobQueue,
    private readonly logger: Logger,
    /** Told of events that become dead letters instead of being carried. */
    private readonly onRefused: (delivery: Delivery, refusal: string) => void = () => {},
    /** Is told of events that were carried, each once. */
    private readonly onCarried: (events: number) => void = () => {},
  ) {}

  async start(): Promise<void> {
    this.#stopListening = await this.project.database.listen('galley_outbox', () => this.#wake());
    this.#wake();
  }

  /** Finishes the claim under way and stops. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#stopListening?.();
    await this.#running;
  }

  /** Carries what is in the outbox now; returns how many events that were. */
  async runOnce(): Promise<number> {
    let carried = 0;
    for (;;) {
      const events = await claimEvents(this.project.database);
      if (events.length > 0) await this.#carryOrRefuse(events);
      carried += events.length;
      if (events.length < claimSize || this.#stopped) return carried;
    }
  }

  /** A wake-up while one run is under way makes another one follow it, since the first may have looked too early. */
  #wake(): void {
    this.#wanted = true;
    if (this.#running || this.#stopped) return;
    clearTimeout(this.#timer);
    this.#running = this.#runWhileWanted().finally(() => {
      this.#running = undefined;
      if (!this.#stopped) this.#timer = setTimeout(() => this.#wake(), pollMs).unref();
      if (this.#wanted) this.#wake();
    });
  }

  async #runWhileWanted(): Promise<void> {
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false;
      try {
        await this.runOnce();
      } catch (error) {
        this.logger.warn(
          { err: error, project: this.project.ref },
          'The relay could not carry events; trying again',
        );
        await new Promise((resolve) => setTimeout(resolve, retryMs));
        this.#wanted = true;
      }
    }
  }

  /** One event that PostgreSQL cannot take must not hold up the others: it is found, and ends as a dead letter. */
  async #carryOrRefuse(events: readonly CommittedEvent[]): Promise<void> {
    try {
      await this.#carry(events);
    } catch (error) {
      if (!isRefused(error)) throw error;
      if (events.length === 1) return this.#carry(events, `The event cannot be stored: ${error.message}`);
      const carried = await Promise.allSettled(events.map((event) => this.#carryOrRefuse([event])));
      const failed = carried.find((result) => result.status === 'rejected');
      if (failed) throw failed.reason;
    }
  }

  async #carry(events: readonly CommittedEvent[], refusal: string | null = null): Promise<void> {
    const { ref } = this.project;
    const names = [...new Set(events.map((event) => event.name))];
    const subscriptions = await subscriptionsTo(this.platform, ref, names);
    const deliveries = events.flatMap((event) =>
      subscriptions
        .filter((subscription) => matches(subscription, event))
        .map((subscription) => deliveryOf(ref, event, subscription, refusal)),
    );
    await this.#deliver([...deliveries, ...(await this.#requested(events, refusal))]);
    const ids = events.map((event) => event.id);
    this.onCarried(await completeEvents(this.project.database, ids));
  }

  /** The deliveries of events that are requests, whose requests are recorded before. */
  async #requested(events: readonly CommittedEvent[], refusal: string | null): Promise<NewDelivery[]> {
    const requested = events.flatMap((event) =>
      event.request ? [requestedDelivery(this.project, event, event.request, refusal)] : [],
    );
    await insertRequests(
      this.platform,
      requested.flatMap(({ request }) => request ?? []),
    );
    return requested.map(({ delivery }) => delivery);
  }

  async #deliver(deliveries: readonly NewDelivery[]): Promise<void> {
    await recordDeliveries(this.platform, this.queue, this.project.ref, deliveries);
    for (const delivery of deliveries) {
      const { id, eventName, requestId, functionSlug, refusal } = delivery;
      const line = { deliveryId: id, event: eventName, requestId, function: functionSlug };
      if (refusal === null) {
        this.logger.debug(line, 'Event queued');
      } else {
        this.logger.warn({ ...line, refusal }, 'Event refused');
        this.onRefused(delivery, refusal);
      }
    }
  }
}

/** Whether PostgreSQL refused the data (classes 22 and 23) or what it would take (54), rather than was not to be had. */
function isRefused(error: unknown): error is Error & { code: string } {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^(22|23|54)[0-9A-Z]{3}$/.test(code);
}

function deliveryOf(
  projectRef: string,
  event: CommittedEvent,
  subscription: Subscription,
  refusal: string | null,
): NewDelivery {
  const refused = refusal ?? refusalOf(event, subscription);
  return {
    id: derivedId(event.id, subscription.id),
    projectRef,
    subscriptionId: subscription.id,
    functionSlug: subscription.functionSlug,
    eventId: event.id,
    eventName: event.name,
    payload: refused === null ? event.payload : '{}',
    requestId: event.requestId,
    depth: event.depth,
    occurredAt: event.occurredAt,
    refusal: refused,
  };
}
