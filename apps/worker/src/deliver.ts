import {
  addJobs,
  endAttempt,
  hastenNext,
  RetryLater,
  startDelivery,
  type Job,
  type StartedDelivery,
} from '#libs/events';
import type { EventOutcome } from '#libs/functions';
import { newId } from '#libs/platform';
import { insertInvocations } from '#libs/usage';
import { z } from 'zod';
import { deliverBatch } from './deliver-batch.js';
import { logOf, refusalOf, retryWaitMs, stateAfter, type DeliverContext } from './delivery-outcome.js';

const jobData = z.object({ deliveryId: z.uuid() });

/**
 * Runs one job: begins the delivery, invokes its function, and ends the delivery together with the invocation's
 * record in one transaction. Only the try whose invocation id stands in the row may end it, so a try that was taken
 * over (its worker was thought dead) changes nothing any more.
 *
 * @throws RetryLater when the delivery is to be tried again, or not yet.
 */
export async function deliver(context: DeliverContext, job: Job): Promise<void> {
  const { deliveryId } = jobData.parse(job.data);
  const started = await startDelivery(context.database, deliveryId, newId());
  if (!started) return;
  if ('waitMs' in started) {
    if (started.reason === 'batched') return deliverBatch(context, deliveryId, job);
    throw new RetryLater(started.reason, started.waitMs, true);
  }
  const outcome = await invoke(context, started, job.signal);
  await end(context, started, outcome, job.signal);
}

async function invoke(
  context: DeliverContext,
  delivery: StartedDelivery,
  signal: AbortSignal,
): Promise<EventOutcome> {
  const { invokeFunction, projects, logger } = context;
  const project = projects.get(delivery.projectRef);
  const refusal = refusalOf(project, delivery);
  if (!project || refusal) return refusal!;
  logger.debug(logOf(delivery), 'Delivery begins');
  return invokeFunction.invokeForEvent(project, delivery, signal);
}

async function end(
  context: DeliverContext,
  delivery: StartedDelivery,
  outcome: EventOutcome,
  signal: AbortSignal,
): Promise<void> {
  const { database, logger } = context;
  const { state, tried } = stateAfter(delivery, outcome, signal);
  const error = outcome.status === 'succeeded' ? null : outcome.error;
  const following = await database.transaction(async (tx) => {
    const { id: deliveryId, invocationId } = delivery;
    const httpStatus = outcome.record?.httpStatus ?? null;
    const own = await endAttempt(tx, { deliveryId, invocationId, state, error, tried, httpStatus });
    if (own && outcome.record) await insertInvocations(tx, [outcome.record]);
    return own;
  });
  const log = logOf(delivery);
  if (!following) {
    logger.warn(log, 'A delivery was taken over by another worker while it ran here');
    return;
  }
  if (state === 'succeeded') logger.info({ ...log, wallMs: outcome.record?.wallMs }, 'Delivery succeeded');
  else if (state === 'dead') logger.error({ ...log, error }, 'Delivery is dead: no attempts left');
  else logger.warn({ ...log, error }, 'Delivery will be tried again');
  await addJobs(database, context.queue, delivery.projectRef, following);
  if (state !== 'queued') return hastenNext(database, context.queue, delivery);
  throw new RetryLater(error ?? 'busy', retryWaitMs(delivery, outcome), !tried);
}
