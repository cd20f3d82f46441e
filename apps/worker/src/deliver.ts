import {
  addJobs,
  giveRateBack,
  hastenNext,
  HoldQueue,
  isFunctionTarget,
  RetryLater,
  takeRate,
  type Job,
  type StartedDelivery,
} from '#libs/events';
import type { EventOutcome } from '#libs/functions';
import { newId } from '#libs/platform';
import { z } from 'zod';
import { deliverBatch } from './deliver-batch.js';
import { tellFailure } from './tell-failure.js';
import { logOf, refusalOf, retryWaitMs, stateAfter, type DeliverContext } from './delivery-outcome.js';
import { sendElsewhere } from './send-elsewhere.js';

interface FunctionName {
  readonly projectRef: string;
  readonly functionSlug: string;
}

const jobData = z.object({ deliveryId: z.uuid() });

/**
 * Runs one job: begins the delivery, invokes its function, and ends the delivery together with the invocation's
 * record in one transaction. Only the try whose invocation id stands in the row may end it, so a try that was taken
 * over (its worker was thought dead) changes nothing any more.
 *
 * @throws RetryLater when the delivery is to be tried again, or not yet; HoldQueue when its function has begun as much as
 *   its rate allows.
 */
export async function deliver(context: DeliverContext, job: Job, of: FunctionName): Promise<void> {
  const { database, invokeFunction, projects } = context;
  const rate = await invokeFunction.eventRateOf(projects.get(of.projectRef), of.functionSlug);
  if (!rate) {
    await tryDelivery(context, job);
    return;
  }
  const waitMs = await takeRate(database, of, rate);
  if (waitMs > 0) throw new HoldQueue(waitMs);
  let hasBegun = false;
  try {
    await tryDelivery(context, job, () => (hasBegun = true));
  } finally {
    if (!hasBegun) await giveRateBack(database, of);
  }
}

/** @param onBegin called when there is something to invoke */
async function tryDelivery(context: DeliverContext, job: Job, onBegin: () => void = () => {}): Promise<void> {
  const { deliveryId } = jobData.parse(job.data);
  const started = await context.writes.start(deliveryId, newId());
  if (!started) return;
  if ('waitMs' in started) {
    if (started.reason === 'batched') return deliverBatch(context, deliveryId, job, onBegin);
    throw new RetryLater(started.reason, started.waitMs, true);
  }
  onBegin();
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
  if (!isFunctionTarget(delivery.functionSlug)) return sendElsewhere(context, project, delivery, signal);
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
  const { id: deliveryId, invocationId } = delivery;
  const httpStatus = outcome.record?.httpStatus ?? null;
  const retryInMs = state === 'queued' ? retryWaitMs(delivery, outcome) : null;
  const ended = { deliveryId, invocationId, state, error, tried, httpStatus, retryInMs };
  const following = await context.writes.end(ended, outcome);
  const log = logOf(delivery);
  if (!following) {
    logger.warn(log, 'A delivery was taken over by another worker while it ran here');
    return;
  }
  if (state === 'succeeded') logger.info({ ...log, wallMs: outcome.record?.wallMs }, 'Delivery succeeded');
  else if (state === 'dead') logger.error({ ...log, error }, 'Delivery is dead: no attempts left');
  else logger.warn({ ...log, error }, 'Delivery will be tried again');
  await addJobs(database, context.queue, delivery.projectRef, following);
  if (tried && error !== null) await tellFailure(context, delivery, outcome, { error, retryInMs });
  if (retryInMs === null) return hastenNext(database, context.queue, delivery);
  throw new RetryLater(error ?? 'busy', retryInMs, !tried);
}
