import {
  backoffMs,
  derivedId,
  isRefusedData,
  type Logger,
  type PlatformDatabase,
  type Project,
} from '#libs/platform';
import { setTimeout as delay } from 'node:timers/promises';
import type { CommittedEvent } from '../catalogue.js';
import {
  hasOrderedSubscriptions,
  subscriptionsTo,
  type Delivery,
  type NewDelivery,
} from '../delivery/deliveries.sql.js';
import { recordDeliveries } from '../delivery/record-deliveries.js';
import { claimEvents, claimEventsInTurn, claimSize, renewLeases, type ClaimedEvent } from '../outbox.js';
import type { JobQueue } from '../queue/job-queue.js';
import { insertRequests } from '../requests/delivery-requests.sql.js';
import { completeCarried } from '../message-queues/complete-carried.js';
import { loopOf, refuseOverBudget } from './chain-budget.js';
import { refusalOf, type Refusal } from './refusal.js';
import { requestedDelivery } from './requested-delivery.js';
import { wantedDeliveries, type Wanted } from './wanted-deliveries.js';

/** The outbox is looked at this often even without a notification: leases of relays that died run out. */
const pollMs = 2_000;
/** Claims that are carried at once, where there is no order: each waits for several commits. */
const claimsAtOnce = 3;

/**
 * Carries a project's committed events to the queues of the functions that want them.
 *
 * claim (lease) → record deliveries → add jobs → remove from the outbox. A crash after any step repeats it from the
 * claim; the delivery's id depends only on event and subscription, so a repetition finds its own work done. Any
 * number of relays may run: a claim skips rows that another holds. Where a subscription has an order they take turns.
 */
export class Relay {
  #stopListening: (() => Promise<void>) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #wanted = false;
  /** In a row. */
  #failures = 0;
  readonly #stopping = new AbortController();

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

  get #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  async start(): Promise<void> {
    this.#stopListening = await this.project.database.listen('galley_outbox', () => this.#wake());
    this.#wake();
  }

  /** Finishes the claim under way and stops. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    await this.#stopListening?.();
    await this.#running;
  }

  /** Carries what is in the outbox now; returns how many events that were. */
  async runOnce(): Promise<number> {
    let carried = 0;
    const errors: unknown[] = [];
    const underWay = new Set<Promise<void>>();
    const inOrder = await hasOrderedSubscriptions(this.platform, this.project.ref);
    for (let isLast = false; !isLast;) {
      const { database } = this.project;
      const events = inOrder ? await claimEventsInTurn(database) : await claimEvents(database);
      carried += events.length;
      isLast = events.length < claimSize || this.#stopped || errors.length > 0;
      const carrying: Promise<void> = this.#carryOrRefuse(events, inOrder)
        .catch((error: unknown) => void errors.push(error))
        .finally(() => underWay.delete(carrying));
      underWay.add(carrying);
      const most = isLast || inOrder ? 0 : claimsAtOnce - 1;
      while (underWay.size > most) await Promise.race(underWay);
    }
    if (errors.length > 0) throw errors[0];
    return carried;
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
        this.#failures = 0;
      } catch (error) {
        this.logger.warn(
          { err: error, project: this.project.ref },
          'The relay could not carry events; trying again',
        );
        const { signal } = this.#stopping;
        await delay(backoffMs(this.#failures++), undefined, { signal }).catch(() => {});
        this.#wanted = true;
      }
    }
  }

  /** One event that PostgreSQL cannot take must not hold up the others: it is found, and ends as a dead letter. */
  async #carryOrRefuse(events: readonly ClaimedEvent[], inOrder: boolean): Promise<void> {
    if (events.length === 0) return;
    try {
      await this.#carry(events, inOrder);
    } catch (error) {
      if (!isRefusedData(error)) throw error;
      if (events.length === 1) {
        const reason = `The event cannot be stored: ${error.message}`;
        return this.#carry(events, inOrder, { reason, keepsEvent: false });
      }
      // One after another, as their deliveries may have an order.
      for (const event of events) await this.#carryOrRefuse([event], inOrder);
    }
  }

  async #carry(
    claimed: readonly ClaimedEvent[],
    inOrder: boolean,
    refusal: Refusal | null = null,
  ): Promise<void> {
    const { ref } = this.project;
    const names = [...new Set(claimed.map((event) => event.name))];
    const subscriptions = await subscriptionsTo(this.platform, ref, names);
    const asked = await wantedDeliveries(this.project.database, claimed, subscriptions);
    const events = await this.#stillHeld(claimed, inOrder);
    const held: ReadonlySet<CommittedEvent> = new Set(events);
    const wanted = asked.filter(({ event }) => held.has(event));
    const requests = events.filter((event) => event.request);
    const causes = [...wanted.map(({ event }) => event), ...requests];
    const overBudget = await refuseOverBudget(this.platform, ref, causes);
    const deliveries: NewDelivery[] = [];
    const loops = new Map<string, Promise<string>>();
    const loop = (rootId: string) => {
      const known = loops.get(rootId) ?? loopOf(this.platform, ref, rootId);
      loops.set(rootId, known);
      return known;
    };
    for (const [place, one] of wanted.entries()) {
      const refused = refusal ?? overBudget.get(place) ?? (await refusalOf(one, loop));
      deliveries.push(deliveryOf(ref, one, refused));
    }
    for (const [i, event] of requests.entries()) {
      const refused = refusal ?? overBudget.get(wanted.length + i) ?? null;
      deliveries.push(await this.#requested(event, refused, loop));
    }
    await this.#deliver(deliveries);
    const carried = new Set(deliveries.map(({ eventId }) => eventId));
    this.onCarried(await completeCarried(this.project.database, events, carried));
  }

  /**
   * Those that no other relay has taken over while this one stood still. Where that one may have come to another end
   * (an order went on, a message was given back) nothing must be recorded any more; elsewhere it would be the same.
   */
  async #stillHeld(claimed: readonly ClaimedEvent[], inOrder: boolean): Promise<readonly ClaimedEvent[]> {
    if (!inOrder && claimed.every(({ name }) => name !== 'queue.message')) return claimed;
    const held = await renewLeases(this.project.database, claimed);
    return claimed.filter(({ id }) => held.has(id));
  }

  /** The delivery of an event that is a request, which is recorded before. */
  async #requested(
    event: ClaimedEvent,
    refusal: Refusal | null,
    loop: (rootId: string) => Promise<string>,
  ): Promise<NewDelivery> {
    const { delivery, request } = requestedDelivery(this.project, event, event.request!);
    const deep = await refusalOf({ event, subscription: delivery }, loop);
    const refused = refusal?.reason ?? delivery.refusal ?? deep?.reason ?? null;
    if (refused === null) await insertRequests(this.platform, this.project, [request]);
    return { ...delivery, refusal: refused };
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

function deliveryOf(
  projectRef: string,
  { event, subscription, orderingKey }: Wanted,
  refusal: Refusal | null,
): NewDelivery {
  return {
    id: derivedId(event.id, subscription.id),
    projectRef,
    subscriptionId: subscription.id,
    functionSlug: subscription.functionSlug,
    eventId: event.id,
    eventName: event.name,
    payload: refusal?.keepsEvent === false ? '{}' : event.payload,
    requestId: event.requestId,
    depth: event.depth,
    occurredAt: event.occurredAt,
    refusal: refusal?.reason ?? null,
    rootId: event.rootId,
    orderingKey,
    batched: subscription.settings.batch !== undefined,
  };
}
