import {
  endAttempt,
  isFunctionTarget,
  recordResponse,
  RetryLater,
  retryDelayMs,
  startDelivery,
  type Job,
  type StartedDelivery,
} from '#libs/events';
import type { EventLog, EventOutcome, InvokeFunction } from '#libs/functions';
import { newId, type Logger, type PlatformDatabase, type ProjectRegistry } from '#libs/platform';
import { insertInvocations } from '#libs/usage';
import { z } from 'zod';
import { sendElsewhere, type SendContext } from './send-elsewhere.js';

/** A delivery is given up after this many tries even if none of them ever ended: its function takes its worker down. */
const maxStarts = 50;
const jobData = z.object({ deliveryId: z.uuid() });

/** What running a delivery needs. */
export interface DeliverContext extends SendContext {
  readonly database: PlatformDatabase;
  readonly projects: ProjectRegistry;
  readonly invokeFunction: InvokeFunction;
  readonly eventLog: EventLog;
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
  const outcome = await invoke(context, started, job.signal);
  const ending = endingOf(outcome, job);
  const isOurs = await end(context, started, outcome, ending);
  if (!isOurs || outcome.status === 'succeeded') return;
  if (ending.tried) await tellFailure(context, started, outcome, ending);
  if (ending.retryInMs !== null) throw new RetryLater(outcome.error, ending.retryInMs, !ending.tried);
}

async function invoke(
  context: DeliverContext,
  delivery: StartedDelivery,
  signal: AbortSignal,
): Promise<EventOutcome> {
  const { invokeFunction, projects, logger } = context;
  const project = projects.get(delivery.projectRef);
  if (!project)
    return { status: 'failed', error: `There is no project ${delivery.projectRef}`, maxAttempts: 0 };
  if (delivery.attempt > maxStarts)
    return { status: 'failed', error: `${maxStarts} tries began and did not end`, maxAttempts: 0 };
  const log = { requestId: delivery.requestId, deliveryId: delivery.id, function: delivery.functionSlug };
  logger.debug({ ...log, attempt: delivery.attempt }, 'Delivery begins');
  if (!isFunctionTarget(delivery.functionSlug)) return sendElsewhere(context, project, delivery, signal);
  return invokeFunction.invokeForEvent(project, delivery, signal);
}

/** What becomes of a delivery after a try. */
interface Ending {
  readonly state: 'succeeded' | 'dead' | 'queued';
  readonly attempt: number;
  readonly tried: boolean;
  /** Null when it has ended. */
  readonly retryInMs: number | null;
}

function endingOf(outcome: EventOutcome, job: Job): Ending {
  const attempt = job.failures + 1;
  if (outcome.status === 'succeeded') return { state: 'succeeded', attempt, tried: true, retryInMs: null };
  // What was cut off by our own stop was not tried: the next worker begins it anew.
  const tried = outcome.status === 'failed' && !job.signal.aborted;
  if (tried && attempt >= outcome.maxAttempts) return { state: 'dead', attempt, tried, retryInMs: null };
  const retryInMs = outcome.retryAfterMs ?? retryDelayMs(tried ? attempt : 1);
  return { state: 'queued', attempt, tried, retryInMs };
}

/** @returns whether the delivery was still ours to end */
async function end(
  { database, logger }: DeliverContext,
  delivery: StartedDelivery,
  outcome: EventOutcome,
  { state, tried }: Ending,
): Promise<boolean> {
  const error = outcome.status === 'succeeded' ? null : outcome.error;
  const { id: deliveryId, invocationId, requestId, attempt } = delivery;
  const ended = await database.transaction(async (tx) => {
    const own = await endAttempt(tx, { deliveryId, invocationId, state, error, tried });
    if (own && outcome.record) await insertInvocations(tx, [outcome.record]);
    if (own && outcome.response) await recordResponse(tx, delivery.id, outcome.response);
    return own;
  });
  const log = { requestId, deliveryId, function: delivery.functionSlug, attempt };
  if (!ended) logger.warn(log, 'A delivery was taken over by another worker while it ran here');
  else if (state === 'succeeded')
    logger.info({ ...log, wallMs: outcome.record?.wallMs }, 'Delivery succeeded');
  else if (state === 'dead') logger.error({ ...log, error }, 'Delivery is dead: no attempts left');
  else logger.warn({ ...log, error }, 'Delivery will be tried again');
  return ended;
}

/** Where the function's author looks for it. */
async function tellFailure(
  { projects, eventLog }: DeliverContext,
  delivery: StartedDelivery,
  { error, maxAttempts }: Exclude<EventOutcome, { status: 'succeeded' }>,
  { attempt, retryInMs }: Ending,
): Promise<void> {
  const project = projects.get(delivery.projectRef);
  if (!project) return;
  const { invocationId } = delivery;
  await eventLog.tellFailure(project, delivery, { invocationId, attempt, maxAttempts, error, retryInMs });
}
