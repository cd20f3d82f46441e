import { addJobs, hastenNext, isFunctionTarget, type StartedDelivery } from '#libs/events';
import type { EventOutcome } from '#libs/functions';
import { tellFailure } from './tell-failure.js';
import { logOf, refusalOf, retryWaitMs, stateAfter, type DeliverContext } from './delivery-outcome.js';
import { sendElsewhere } from './send-elsewhere.js';

/** Makes a delivery that has begun: calls its function, or whom else it is for. */
export async function makeDelivery(
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

/** Ends a try. Resolves to when there is to be another one of this job; undefined when there is none. */
export async function endDelivery(
  context: DeliverContext,
  delivery: StartedDelivery,
  outcome: EventOutcome,
  signal: AbortSignal,
): Promise<{ retryInMs: number; tried: boolean; error: string } | undefined> {
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
    return undefined;
  }
  if (state === 'succeeded') logger.info({ ...log, wallMs: outcome.record?.wallMs }, 'Delivery succeeded');
  else if (state === 'dead') logger.error({ ...log, error }, 'Delivery is dead: no attempts left');
  else logger.warn({ ...log, error }, 'Delivery will be tried again');
  await addJobs(database, context.queue, delivery.projectRef, following);
  if (tried && error !== null) await tellFailure(context, delivery, outcome, { error, retryInMs });
  if (retryInMs !== null) return { retryInMs, tried, error: error ?? 'busy' };
  await hastenNext(database, context.queue, delivery);
  return undefined;
}
