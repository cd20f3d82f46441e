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

/** Tries that are begun, or ended, with one transaction; and when another such transaction is worth beginning beside it. */
const together = { most: 250, enough: 100, atOnce: 2 };

interface End {
  readonly ended: EndedTry;
  readonly outcome: EventOutcome;
}

/** Begins and ends tries of this worker, those of a moment together: a transaction for each would be most of the work. */
export class DeliveryWrites {
  readonly #starts: Gathered<NewTry, StartedDelivery | Waiting | undefined>;
  readonly #ends: Gathered<End, FollowingDelivery[] | undefined>;

  constructor(database: PlatformDatabase) {
    this.#starts = new Gathered((tries) => startDeliveries(database, tries), together, isOfOne);
    this.#ends = new Gathered((ends) => endAll(database, ends), together, isOfOne);
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

async function endAll(
  database: PlatformDatabase,
  ends: readonly End[],
): Promise<(FollowingDelivery[] | undefined)[]> {
  let records: Promise<unknown> | undefined;
  const following = await database.transaction(async (tx) => {
    const ended = await endTries(
      tx,
      ends.map(({ ended: one }) => one),
    );
    records = insertRecords(
      tx,
      ends.filter((_, i) => ended[i]),
    );
    // Not waited for, COMMIT travels with them; where they fail it is a ROLLBACK. That is told below.
    records.catch(() => {});
    return ended;
  });
  await records;
  return following;
}

async function insertRecords(tx: Sql, own: readonly End[]): Promise<void> {
  const answered = own.filter(({ outcome }) => outcome.response);
  await Promise.all([
    insertInvocations(
      tx,
      own.flatMap(({ outcome }) => outcome.record ?? []),
    ),
    ...answered.map(({ ended, outcome }) => recordResponse(tx, ended.deliveryId, outcome.response!)),
  ]);
}
