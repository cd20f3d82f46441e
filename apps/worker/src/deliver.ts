import {
  giveRateBack,
  HoldQueue,
  leaveParcel,
  RetryLater,
  takeRate,
  type EventRate,
  type Job,
} from '#libs/events';
import { newId } from '#libs/platform';
import { z } from 'zod';
import { deliverBatch } from './deliver-batch.js';
import { deliverParcel } from './deliver-parcel.js';
import type { DeliverContext } from './delivery-outcome.js';
import { endDelivery, makeDelivery } from './try-delivery.js';

interface FunctionName {
  readonly projectRef: string;
  readonly functionSlug: string;
}

const jobData = z.union([
  z.object({ deliveryId: z.uuid() }),
  z.object({ deliveryIds: z.array(z.uuid()).readonly() }),
]);

/**
 * Runs one job: of a parcel, or of one delivery, which is begun, made by invoking its function, and ended together with
 * the invocation's record in one transaction. Only the try whose invocation id stands in the row may end it, so a try
 * that was taken over (its worker was thought dead) changes nothing any more.
 *
 * @throws RetryLater when the delivery is to be tried again, or not yet; HoldQueue when its function has begun as much as
 *   its rate allows.
 */
export async function deliver(context: DeliverContext, job: Job, of: FunctionName): Promise<void> {
  const data = jobData.parse(job.data);
  const { database, invokeFunction, projects } = context;
  const rate = await invokeFunction.eventRateOf(projects.get(of.projectRef), of.functionSlug);
  if ('deliveryIds' in data) {
    const parcel = { id: job.id, ...data };
    // Each of its deliveries would need a place of its own.
    return rate ? leaveParcel(database, context.queue, of, parcel) : deliverParcel(context, parcel, job, of);
  }
  await job.turns.run(() => deliverOne(context, data.deliveryId, job, of, rate));
}

async function deliverOne(
  context: DeliverContext,
  deliveryId: string,
  job: Job,
  of: FunctionName,
  rate: EventRate | undefined,
): Promise<void> {
  if (!rate) return tryDelivery(context, deliveryId, job);
  const { database } = context;
  const waitMs = await takeRate(database, of, rate);
  if (waitMs > 0) throw new HoldQueue(waitMs);
  let hasBegun = false;
  try {
    await tryDelivery(context, deliveryId, job, () => (hasBegun = true));
  } finally {
    if (!hasBegun) await giveRateBack(database, of);
  }
}

/** @param onBegin called when there is something to invoke */
async function tryDelivery(
  context: DeliverContext,
  deliveryId: string,
  job: Job,
  onBegin: () => void = () => {},
): Promise<void> {
  const started = await context.writes.start({ deliveryId, invocationId: newId(), parcelId: null });
  if (!started) return;
  if ('waitMs' in started) {
    if (started.reason === 'batched') return deliverBatch(context, deliveryId, job, onBegin);
    throw new RetryLater(started.reason, started.waitMs, true);
  }
  onBegin();
  const outcome = await makeDelivery(context, started, job.signal);
  const next = await endDelivery(context, started, outcome, job.signal);
  if (next) throw new RetryLater(next.error, next.retryInMs, !next.tried);
}
