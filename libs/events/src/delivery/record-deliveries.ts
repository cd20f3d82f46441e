import type { PlatformDatabase } from '#libs/platform';
import type { JobQueue } from '../queue/job-queue.js';
import { insertDeliveries, type NewDelivery } from './deliveries.sql.js';
import { jobOf, wakeWorkers } from './delivery-jobs.js';
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
  await insertDeliveries(platform, deliveries);
  await queueDeliveries(platform, queue, projectRef, deliveries);
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

/** Adds the jobs of recorded deliveries and wakes the workers. */
export async function addJobs(
  platform: PlatformDatabase,
  queue: JobQueue,
  projectRef: string,
  deliveries: readonly { readonly id: string; readonly functionSlug: string }[],
): Promise<void> {
  for (const slug of new Set(deliveries.map((delivery) => delivery.functionSlug))) {
    const own = deliveries.filter((delivery) => delivery.functionSlug === slug);
    const jobs = own.map(({ id }) => jobOf(id));
    await queue.add(queueNameOf(projectRef, slug), jobs);
    await wakeWorkers(platform, projectRef, slug);
  }
}
