import {
  endAttempt,
  nextInOrder,
  queueNameOf,
  retryDelayMs,
  RetryLater,
  startDelivery,
  type Job,
  type JobQueue,
  type StartedDelivery,
} from '#libs/events';
import type { EventOutcome, InvokeFunction } from '#libs/functions';
import { newId, type Logger, type PlatformDatabase, type ProjectRegistry } from '#libs/platform';
import { insertInvocations } from '#libs/usage';
import { z } from 'zod';

/** A delivery is given up after this many tries even if none of them ever ended: its function takes its worker down. */
const maxStarts = 50;
const jobData = z.object({ deliveryId: z.uuid() });

/** What running a delivery needs. */
export interface DeliverContext {
  readonly database: PlatformDatabase;
  readonly queue: JobQueue;
  readonly projects: ProjectRegistry;
  readonly invokeFunction: InvokeFunction;
  readonly logger: Logger;
}

/**
 * Runs one job: begins the delivery, invokes its function, and ends the delivery together with the invocation's
 * record in one transaction. Only the try whose invocation id stands in the row may end it, so a try that was taken
 * over (its worker was thought dead) changes nothing any more.
 *
 * @throws RetryLater when the delivery is to be tried again.
 */
export async function deliver(context: DeliverContext, job: Job): Promise<void> {
  const { deliveryId } = jobData.parse(job.data);
  const invocationId = newId();
  const started = await startDelivery(context.database, deliveryId, invocationId);
  if (!started) return;
  if ('waitMs' in started) throw new RetryLater(started.reason, started.waitMs, true);
  const outcome = await invoke(context, started, job.signal);
  const attemptsLeft = started.failures + 1 < attemptsOf(started, outcome);
  // What was cut off by our own stop was not tried: the next worker begins it anew.
  const untried = outcome.status === 'busy' || (outcome.status === 'failed' && job.signal.aborted);
  await end(context, started, outcome, untried ? 'untried' : attemptsLeft ? 'left' : 'none');
}

async function invoke(
  { invokeFunction, projects, logger }: DeliverContext,
  delivery: StartedDelivery,
  signal: AbortSignal,
): Promise<EventOutcome> {
  const project = projects.get(delivery.projectRef);
  if (!project)
    return { status: 'failed', error: `There is no project ${delivery.projectRef}`, maxAttempts: 0 };
  if (delivery.attempt > maxStarts)
    return { status: 'failed', error: `${maxStarts} tries began and did not end`, maxAttempts: 0 };
  const log = { requestId: delivery.requestId, deliveryId: delivery.id, function: delivery.functionSlug };
  logger.debug({ ...log, attempt: delivery.attempt }, 'Delivery begins');
  return invokeFunction.invokeForEvent(project, delivery, signal);
}

async function end(
  context: DeliverContext,
  delivery: StartedDelivery,
  outcome: EventOutcome,
  attempts: 'untried' | 'left' | 'none',
): Promise<void> {
  const { database, logger } = context;
  const error = outcome.status === 'succeeded' ? null : outcome.error;
  const again = outcome.status !== 'succeeded' && attempts !== 'none';
  const state = outcome.status === 'succeeded' ? 'succeeded' : again ? 'queued' : 'dead';
  const ended = await database.transaction(async (tx) => {
    const own = await endAttempt(tx, {
      deliveryId: delivery.id,
      invocationId: delivery.invocationId,
      state,
      error,
      tried: attempts !== 'untried',
    });
    if (own && outcome.record) await insertInvocations(tx, [outcome.record]);
    return own;
  });
  const log = {
    requestId: delivery.requestId,
    deliveryId: delivery.id,
    function: delivery.functionSlug,
    attempt: delivery.attempt,
  };
  if (!ended) {
    logger.warn(log, 'A delivery was taken over by another worker while it ran here');
    return;
  }
  if (state === 'succeeded') logger.info({ ...log, wallMs: outcome.record?.wallMs }, 'Delivery succeeded');
  else if (state === 'dead') logger.error({ ...log, error }, 'Delivery is dead: no attempts left');
  else logger.warn({ ...log, error }, 'Delivery will be tried again');
  if (!again) return wakeNext(context, delivery);
  const waitMs = outcome.retryAfterMs ?? retryDelayMs(delivery.failures + 1, delivery.settings.retry);
  throw new RetryLater(error ?? 'busy', waitMs, attempts === 'untried');
}

/** None when there is no such function any more. */
function attemptsOf({ settings }: StartedDelivery, { maxAttempts }: EventOutcome): number {
  return maxAttempts === 0 ? 0 : (settings.attempts ?? maxAttempts);
}

/** Lets the delivery go on that waited for this one to end. Should we die before, it looks by itself. */
async function wakeNext({ database, queue }: DeliverContext, delivery: StartedDelivery): Promise<void> {
  const { subscriptionId, orderingKey, projectRef, functionSlug } = delivery;
  if (orderingKey === null) return;
  const id = await nextInOrder(database, subscriptionId, orderingKey);
  if (id !== undefined)
    await queue.hasten(queueNameOf(projectRef, functionSlug), { id, data: { deliveryId: id } });
}
