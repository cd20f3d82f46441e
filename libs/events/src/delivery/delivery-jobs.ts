import type { PlatformDatabase, Sql } from '#libs/platform';
import type { JobQueue } from '../queue/job-queue.js';
import { queueNameOf, workChannel } from './queue-names.js';
import { nextInOrder } from './start-delivery.sql.js';

/** The job of a delivery. */
export function jobOf(deliveryId: string) {
  return { id: deliveryId, data: { deliveryId } };
}

/** Makes sure that open deliveries of a function have jobs which are tried at once, and wakes the workers. */
export async function hastenDeliveries(
  database: PlatformDatabase,
  queue: JobQueue,
  of: { projectRef: string; functionSlug: string },
  ids: readonly string[],
): Promise<void> {
  const name = queueNameOf(of.projectRef, of.functionSlug);
  for (const id of ids) await queue.hasten(name, jobOf(id));
  await wakeWorkers(database, of.projectRef, of.functionSlug);
}

/** The same for deliveries that had ended and are open again. */
export async function reopenDeliveries(
  database: PlatformDatabase,
  queue: JobQueue,
  of: { projectRef: string; functionSlug: string },
  ids: readonly string[],
): Promise<void> {
  const name = queueNameOf(of.projectRef, of.functionSlug);
  for (const id of ids) await queue.reopen(name, jobOf(id));
  await wakeWorkers(database, of.projectRef, of.functionSlug);
}

/** Tells workers that a function has work, unless its events are paused. */
export async function wakeWorkers(sql: Sql, projectRef: string, functionSlug: string): Promise<void> {
  await sql.query(
    `select pg_notify($1, $2 || '/' || $3) where not exists (
       select from functions where project_ref = $2 and slug = $3 and events_paused_at is not null)`,
    [workChannel, projectRef, functionSlug],
  );
}

/** Lets the delivery go on that waited for another to end. Should this process die before, it looks by itself. */
export async function hastenNext(
  database: PlatformDatabase,
  queue: JobQueue,
  ended: { projectRef: string; functionSlug: string; subscriptionId: string; orderingKey: string | null },
): Promise<void> {
  if (ended.orderingKey === null) return;
  const id = await nextInOrder(database, ended.subscriptionId, ended.orderingKey);
  if (id !== undefined) await queue.hasten(queueNameOf(ended.projectRef, ended.functionSlug), jobOf(id));
}
