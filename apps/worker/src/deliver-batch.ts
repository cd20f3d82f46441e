import {
  addJobs,
  endBatch,
  jobOf,
  queueNameOf,
  RetryLater,
  startBatch,
  type BatchedEnd,
  type Job,
  type StartedDelivery,
} from '#libs/events';
import type { EventOutcome } from '#libs/functions';
import { newId } from '#libs/platform';
import { insertInvocations } from '#libs/usage';
import { tellFailure } from './tell-failure.js';
import { logOf, refusalOf, retryWaitMs, stateAfter, type DeliverContext } from './delivery-outcome.js';

const noneFailed: ReadonlySet<string> = new Set();

type BatchOutcome = EventOutcome & { readonly failedEventIds: ReadonlySet<string> };

/**
 * Runs the job of a delivery that is made together with others: begins as many as are there, invokes their function
 * once, and ends all of them together with the invocation's record in one transaction. Those that failed are tried
 * again, in whichever batch they come into.
 *
 * @param onBegin called when there is something to invoke
 * @throws RetryLater when the delivery itself is to be tried again, or waits for others
 */
export async function deliverBatch(
  context: DeliverContext,
  leaderId: string,
  job: Job,
  onBegin: () => void,
): Promise<void> {
  const { database, logger } = context;
  const batch = await database.transaction((tx) => startBatch(tx, leaderId, newId()));
  if (!batch) return;
  if ('waitMs' in batch) throw new RetryLater(batch.reason, batch.waitMs, true);
  onBegin();
  const leader = batch.find(({ id }) => id === leaderId)!;
  const outcome = await invoke(context, [leader, ...batch.filter((one) => one !== leader)], job.signal);
  const { tried } = stateAfter(leader, outcome, job.signal);
  const ends = batch.map((delivery) => endOf(delivery, outcome, job.signal));
  const following = await database.transaction(async (tx) => {
    const httpStatus = outcome.record?.httpStatus ?? null;
    const own = await endBatch(tx, { invocationId: leader.invocationId, tried, httpStatus, ends });
    if (own && outcome.record) await insertInvocations(tx, [outcome.record]);
    return own;
  });
  const log = { ...logOf(leader), deliveries: batch.length };
  if (!following) {
    logger.warn(log, 'A batch was taken over by another worker while it ran here');
    return;
  }
  const failed = ends.filter(({ state }) => state !== 'succeeded');
  if (failed.length === 0) logger.info({ ...log, wallMs: outcome.record?.wallMs }, 'Batch succeeded');
  else
    logger.warn({ ...log, failed: failed.length, error: failed[0]!.error }, 'Deliveries of a batch failed');
  for (const { deliveryId, error, state, waitMs } of tried ? failed : []) {
    const delivery = batch.find(({ id }) => id === deliveryId)!;
    const retryInMs = state === 'queued' ? waitMs : null;
    await tellFailure(context, delivery, outcome, { error: error ?? 'It failed', retryInMs });
  }
  await addJobs(database, context.queue, leader.projectRef, following);
  await hastenFailed(context, leader, ends);
  const own = ends.find(({ deliveryId }) => deliveryId === leaderId)!;
  if (own.state === 'queued') throw new RetryLater(own.error ?? 'busy', own.waitMs, !tried);
}

async function invoke(
  { invokeFunction, projects, logger }: DeliverContext,
  batch: readonly StartedDelivery[],
  signal: AbortSignal,
): Promise<BatchOutcome> {
  const [leader] = batch as [StartedDelivery];
  const project = projects.get(leader.projectRef);
  const refusal = refusalOf(project, leader);
  if (!project || refusal) return { ...refusal!, failedEventIds: noneFailed };
  logger.debug({ ...logOf(leader), deliveries: batch.length }, 'Batch begins');
  return invokeFunction.invokeForBatch(project, batch, signal);
}

function endOf(delivery: StartedDelivery, outcome: BatchOutcome, signal: AbortSignal): BatchedEnd {
  const itself: EventOutcome = outcome.failedEventIds.has(delivery.eventId)
    ? {
        status: 'failed',
        error: 'The function named it among the batchItemFailures',
        maxAttempts: outcome.maxAttempts,
      }
    : outcome;
  const { state } = stateAfter(delivery, itself, signal);
  const error = itself.status === 'succeeded' ? null : itself.error;
  return { deliveryId: delivery.id, state, error, waitMs: retryWaitMs(delivery, itself) };
}

/** The jobs of those that were in the batch of another wait for its end. */
async function hastenFailed(
  { queue }: DeliverContext,
  leader: StartedDelivery,
  ends: readonly BatchedEnd[],
): Promise<void> {
  const name = queueNameOf(leader.projectRef, leader.functionSlug);
  for (const { deliveryId: id, state } of ends) {
    if (state === 'queued' && id !== leader.id) await queue.hasten(name, jobOf(id));
  }
}
