import type { StartedDelivery } from '#libs/events';
import type { EventOutcome } from '#libs/functions';
import { attemptsOf, type DeliverContext } from './delivery-outcome.js';

/**
 * Tells of a try that failed in the function's own log, where its author looks for it.
 * @param retryInMs null when there is no further try
 */
export async function tellFailure(
  { projects, eventLog }: DeliverContext,
  delivery: StartedDelivery,
  outcome: EventOutcome,
  { error, retryInMs }: { error: string; retryInMs: number | null },
): Promise<void> {
  const project = projects.get(delivery.projectRef);
  if (!project) return;
  const { invocationId, failures } = delivery;
  await eventLog.tellFailure(project, delivery, {
    invocationId,
    attempt: failures + 1,
    maxAttempts: attemptsOf(delivery, outcome),
    error,
    retryInMs,
  });
}
