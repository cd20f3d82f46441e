import {
  jobOf,
  leaveParcel,
  queueNameOf,
  RetryLater,
  type Job,
  type Parcel,
  type StartedDelivery,
  type Waiting,
} from '#libs/events';
import type { EventOutcome } from '#libs/functions';
import { newId } from '#libs/platform';
import type { DeliverContext } from './delivery-outcome.js';
import { endDelivery, makeDelivery } from './try-delivery.js';

/** What does not come to its turn within this is left to whoever has time: no other worker sees what is in a parcel. */
const patienceMs = 1_000;

/**
 * Runs the job of a parcel. Its deliveries are begun as many at a time as can run soon, run in turn with what else this
 * worker does for the function, and end each by itself. Those that are not begun in time, may not be, or are to be tried
 * again leave the parcel for jobs of their own; with the last of the others the parcel ends.
 *
 * Another worker that carries the parcel after this one died finds what ended or left no longer in it.
 */
export async function deliverParcel(
  context: DeliverContext,
  parcel: Parcel,
  job: Job,
  of: { projectRef: string; functionSlug: string },
): Promise<void> {
  const leave = (deliveryIds: readonly string[], delayMs?: number) =>
    leaveParcel(context.database, context.queue, of, { ...parcel, deliveryIds }, delayMs);
  const errors: unknown[] = [];
  const tries: Promise<void>[] = [];
  let left = parcel.deliveryIds;
  while (left.length > 0) {
    const places = await job.turns.reserve(left.length, patienceMs);
    if (places === 0) break;
    for (const id of left.slice(0, places)) {
      const tried = tryDelivery(context, { parcelId: parcel.id, deliveryId: id }, job, leave);
      tries.push(tried.catch((error: unknown) => void errors.push(error)));
    }
    left = left.slice(places);
  }
  await leave(left).catch((error: unknown) => errors.push(error));
  await Promise.all(tries);
  // What could not be written is done once more, by the parcel's job.
  if (errors.length > 0) throw errors[0];
}

/** In a place that was reserved, which is given back when there is nothing more to run in it. */
async function tryDelivery(
  context: DeliverContext,
  one: { parcelId: string; deliveryId: string },
  job: Job,
  leave: (deliveryIds: readonly string[], delayMs: number) => Promise<void>,
): Promise<void> {
  const made = await make(context, one, job).finally(() => job.turns.giveBack());
  if (!made) return;
  if ('waitMs' in made) return leave([one.deliveryId], made.waitMs);
  const { started, outcome } = made;
  const next = await endDelivery(context, started, outcome, job.signal);
  if (!next) return;
  const again = { ...jobOf(started.id), delayMs: next.retryInMs };
  await context.queue.add(queueNameOf(started.projectRef, started.functionSlug), [again]);
}

async function make(
  context: DeliverContext,
  one: { parcelId: string; deliveryId: string },
  job: Job,
): Promise<{ started: StartedDelivery; outcome: EventOutcome } | Waiting | undefined> {
  const started = await context.writes.start({ ...one, invocationId: newId() });
  if (!started || 'waitMs' in started) return started;
  try {
    return { started, outcome: await job.turns.run(() => makeDelivery(context, started, job.signal)) };
  } catch (error) {
    if (!(error instanceof RetryLater)) throw error;
    // The consumer closed before its turn came.
    const { message, afterMs } = error;
    return { started, outcome: { status: 'busy', error: message, maxAttempts: 0, retryAfterMs: afterMs } };
  }
}
