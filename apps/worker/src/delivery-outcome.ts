import { retryDelayMs, type JobQueue, type StartedDelivery } from '#libs/events';
import type { EventLog, EventOutcome, InvokeFunction } from '#libs/functions';
import type { DeliveryWrites } from './delivery-writes.js';
import type { Logger, PlatformDatabase, Project, ProjectRegistry } from '#libs/platform';
import type { SendContext } from './send-elsewhere.js';

/** A delivery is given up after this many tries even if none of them ever ended: its function takes its worker down. */
const maxStarts = 50;

/** What running a delivery needs. */
export interface DeliverContext extends SendContext {
  readonly database: PlatformDatabase;
  readonly writes: DeliveryWrites;
  readonly queue: JobQueue;
  readonly projects: ProjectRegistry;
  readonly invokeFunction: InvokeFunction;
  readonly eventLog: EventLog;
  readonly logger: Logger;
}

type Failed = Extract<EventOutcome, { status: 'failed' }>;

/** Why a try is not even made; undefined when it is. */
export function refusalOf(project: Project | undefined, delivery: StartedDelivery): Failed | undefined {
  const error = !project
    ? `There is no project ${delivery.projectRef}`
    : delivery.attempt > maxStarts
      ? `${maxStarts} tries began and did not end`
      : undefined;
  return error === undefined ? undefined : { status: 'failed', error, maxAttempts: 0 };
}

/** What a try leaves its delivery in, and whether it was one. */
export function stateAfter(
  delivery: StartedDelivery,
  outcome: EventOutcome,
  signal: AbortSignal,
): { state: 'succeeded' | 'dead' | 'queued'; tried: boolean } {
  if (outcome.status === 'succeeded') return { state: 'succeeded', tried: true };
  // What was cut off by our own stop was not tried: the next worker begins it anew.
  if (outcome.status === 'busy' || signal.aborted) return { state: 'queued', tried: false };
  return { state: delivery.failures + 1 < attemptsOf(delivery, outcome) ? 'queued' : 'dead', tried: true };
}

/** How many tries it has in all; none when there is no such function any more. */
export function attemptsOf({ settings }: StartedDelivery, { maxAttempts }: EventOutcome): number {
  return maxAttempts === 0 ? 0 : (settings.attempts ?? maxAttempts);
}

/** Until the next try: what the function asked for, else as its subscription says. */
export function retryWaitMs(delivery: StartedDelivery, outcome: EventOutcome): number {
  return outcome.retryAfterMs ?? retryDelayMs(delivery.failures + 1, delivery.settings.retry);
}

export function logOf({ requestId, id, functionSlug, attempt }: StartedDelivery) {
  return { requestId, deliveryId: id, function: functionSlug, attempt };
}
