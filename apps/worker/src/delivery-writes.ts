import {
  endTries,
  Gathered,
  recordResponse,
  startDeliveries,
  type EndedTry,
  type FollowingDelivery,
  type NewTry,
  type StartedDelivery,
  type Waiting,
} from '#libs/events';
import type { EventOutcome } from '#libs/functions';
import type { PlatformDatabase, Sql } from '#libs/platform';
import { insertInvocations } from '#libs/usage';

/** Tries that are begun, or ended, with one transaction. */
const mostAtOnce = 100;

interface End {
  readonly ended: EndedTry;
  readonly outcome: EventOutcome;
}

/** Begins and ends tries of this worker, those of a moment together: a transaction for each would be most of the work. */
export class DeliveryWrites {
  readonly #starts: Gathered<NewTry, StartedDelivery | Waiting | undefined>;
  readonly #ends: Gathered<End, FollowingDelivery[] | undefined>;

  constructor(database: PlatformDatabase) {
    this.#starts = new Gathered((tries) => startDeliveries(database, tries), mostAtOnce, isOfOne);
    this.#ends = new Gathered((ends) => database.transaction((tx) => endAll(tx, ends)), mostAtOnce, isOfOne);
  }

  /** As {@link startDeliveries} of one. */
  start(one: NewTry): Promise<StartedDelivery | Waiting | undefined> {
    return this.#starts.add(one);
  }

  /** As {@link endTries} of one, together with the invocation's record and the answer that is kept. */
  end(ended: EndedTry, outcome: EventOutcome): Promise<FollowingDelivery[] | undefined> {
    return this.#ends.add({ ended, outcome });
  }
}

/** Data that PostgreSQL does not take (classes 22, 23 and 54), and what other workers had locked (40). */
function isOfOne(error: unknown): boolean {
  return /^(22|23|40|54)/.test(String((error as { code?: unknown }).code));
}

async function endAll(tx: Sql, ends: readonly End[]): Promise<(FollowingDelivery[] | undefined)[]> {
  const following = await endTries(
    tx,
    ends.map(({ ended }) => ended),
  );
  const own = ends.filter((_, i) => following[i]);
  const records = own.flatMap(({ outcome }) => outcome.record ?? []);
  if (records.length > 0) await insertInvocations(tx, records);
  for (const { ended, outcome } of own) {
    if (outcome.response) await recordResponse(tx, ended.deliveryId, outcome.response);
  }
  return following;
}
