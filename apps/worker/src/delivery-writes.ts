import {
  endTries,
  Gathered,
  startDeliveries,
  type EndedTry,
  type FollowingDelivery,
  type StartedDelivery,
  type Waiting,
} from '#libs/events';
import type { PlatformDatabase, Sql } from '#libs/platform';
import { insertInvocations, type InvocationRecord } from '#libs/usage';

/** Tries that are begun, or ended, with one transaction. */
const mostAtOnce = 100;

interface End {
  readonly ended: EndedTry;
  readonly record: InvocationRecord | undefined;
}

/** Begins and ends tries of this worker, those of a moment together: a transaction for each would be most of the work. */
export class DeliveryWrites {
  readonly #starts: Gathered<
    { deliveryId: string; invocationId: string },
    StartedDelivery | Waiting | undefined
  >;
  readonly #ends: Gathered<End, FollowingDelivery[] | undefined>;

  constructor(database: PlatformDatabase) {
    this.#starts = new Gathered((tries) => startDeliveries(database, tries), mostAtOnce);
    this.#ends = new Gathered((ends) => database.transaction((tx) => endAll(tx, ends)), mostAtOnce);
  }

  /** As {@link startDeliveries} of one. */
  start(deliveryId: string, invocationId: string): Promise<StartedDelivery | Waiting | undefined> {
    return this.#starts.add({ deliveryId, invocationId });
  }

  /** As {@link endTries} of one, together with the invocation's record. */
  end(ended: EndedTry, record: InvocationRecord | undefined): Promise<FollowingDelivery[] | undefined> {
    return this.#ends.add({ ended, record });
  }
}

async function endAll(tx: Sql, ends: readonly End[]): Promise<(FollowingDelivery[] | undefined)[]> {
  const following = await endTries(
    tx,
    ends.map(({ ended }) => ended),
  );
  const records = ends.flatMap(({ record }, i) => (record && following[i] ? [record] : []));
  if (records.length > 0) await insertInvocations(tx, records);
  return following;
}
