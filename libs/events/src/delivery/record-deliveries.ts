import type { PlatformDatabase } from '#libs/platform';
import type { JobQueue } from '../queue/job-queue.js';
import { insertDeliveries, type NewDelivery } from './deliveries.sql.js';
import { jobOf, wakeWorkers } from './delivery-jobs.js';
import { inParcels, parcelJobOf } from './parcels.js';
import { queueNameOf } from './queue-names.js';

/**
 * Records deliveries of one project, adds their jobs and wakes the workers. A repetition finds its own work done; a
 * crash in between leaves deliveries without jobs, which the workers make sure of later.
 */
export async function recordDeliveries(
  platform: PlatformDatabase,
  queue: JobQueue,
  projectRef: string,
  deliveries: readonly NewDelivery[],
): Promise<void> {
  if (deliveries.length === 0) return;
  const packed = inParcels(deliveries);
  await insertDeliveries(platform, packed);
  await queueDeliveries(platform, queue, projectRef, packed);
}

/** Adds the jobs of recorded deliveries and wakes the workers. */
export async function queueDeliveries(
  platform: PlatformDatabase,
  queue: JobQueue,
  projectRef: string,
  deliveries: readonly NewDelivery[],
): Promise<void> {
  const accepted = deliveries.filter((delivery) => delivery.refusal === null);
  await addJobs(platform, queue, projectRef, accepted);
}

interface QueuedDelivery {
  readonly id: string;
  readonly functionSlug: string;
  readonly parcelId?: string | null;
}

/** Adds the jobs of recorded deliveries and wakes the workers. */
export async function addJobs(
  platform: PlatformDatabase,
  queue: JobQueue,
  projectRef: string,
  deliveries: readonly QueuedDelivery[],
): Promise<void> {
  for (const slug of new Set(deliveries.map((delivery) => delivery.functionSlug))) {
    const own = deliveries.filter((delivery) => delivery.functionSlug === slug);
    await queue.add(queueNameOf(projectRef, slug), jobsOf(own));
    await wakeWorkers(platform, projectRef, slug);
  }
}

function jobsOf(deliveries: readonly QueuedDelivery[]) {
  const parcels = new Map<string, string[]>();
  const alone: string[] = [];
  for (const { id, parcelId } of deliveries) {
    if (!parcelId) alone.push(id);
    else parcels.set(parcelId, [...(parcels.get(parcelId) ?? []), id]);
  }
  const packed = [...parcels].map(([id, deliveryIds]) => parcelJobOf({ id, deliveryIds }));
  return [...packed, ...alone.map(jobOf)];
}
