import { newId, type Sql } from '#libs/platform';
import type { JobQueue } from '../queue/job-queue.js';
import type { NewDelivery } from './deliveries.sql.js';
import { jobOf } from './delivery-jobs.js';
import { queueNameOf } from './queue-names.js';
import { isFunctionTarget } from './targets.js';

/** A parcel holds at most so many deliveries, and payloads of so many characters: they are begun with one statement. */
const most = { deliveries: 25, payload: 256 * 1024 };

/** Several deliveries to one function that one job carries: a job for each would cost more than the delivery itself. */
export interface Parcel {
  readonly id: string;
  readonly deliveryIds: readonly string[];
}

export function parcelJobOf({ id, deliveryIds }: Parcel) {
  return { id, data: { deliveryIds } };
}

/** Packs what came together and needs no other job: what has an order or is made in batches has, and who is refused none. */
export function inParcels(deliveries: readonly NewDelivery[]): NewDelivery[] {
  const open = new Map<string, { deliveries: NewDelivery[]; payload: number }>();
  const parcels: NewDelivery[][] = [];
  const packed = new Map<NewDelivery, string>();
  for (const delivery of deliveries) {
    const { functionSlug, payload } = delivery;
    if (!isPackable(delivery)) continue;
    let parcel = open.get(functionSlug);
    if (
      !parcel ||
      parcel.deliveries.length === most.deliveries ||
      parcel.payload + payload.length > most.payload
    ) {
      parcel = { deliveries: [], payload: 0 };
      open.set(functionSlug, parcel);
      parcels.push(parcel.deliveries);
    }
    parcel.deliveries.push(delivery);
    parcel.payload += payload.length;
  }
  for (const parcel of parcels) {
    if (parcel.length === 1) continue;
    const id = newId();
    for (const delivery of parcel) packed.set(delivery, id);
  }
  return deliveries.map((delivery) => ({ ...delivery, parcelId: packed.get(delivery) ?? null }));
}

function isPackable(delivery: NewDelivery): boolean {
  const { refusal, functionSlug, orderingKey = null, batched = false } = delivery;
  return refusal === null && isFunctionTarget(functionSlug) && orderingKey === null && !batched;
}

/**
 * Gives deliveries of a parcel jobs of their own, which any worker may take. Only for who carries the parcel, or knows
 * that nobody does: those that a worker had begun which died are open again. Should this process die in between, the
 * workers make sure of these jobs later.
 */
export async function leaveParcel(
  sql: Sql,
  queue: JobQueue,
  of: { projectRef: string; functionSlug: string },
  { id, deliveryIds }: Parcel,
  delayMs = 0,
): Promise<void> {
  if (deliveryIds.length === 0) return;
  const { rows } = await sql.query<{ id: string }>(
    `update deliveries set parcel_id = null, state = 'queued', invocation_id = null
     where id = any($1::uuid[]) and parcel_id = $2 and state in ('queued', 'running') returning id`,
    [deliveryIds, id],
  );
  const jobs = rows.map((row) => ({ ...jobOf(row.id), delayMs }));
  if (jobs.length > 0) await queue.add(queueNameOf(of.projectRef, of.functionSlug), jobs);
}
