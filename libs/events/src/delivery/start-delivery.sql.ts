import type { Sql } from '#libs/platform';
import type { DeliveredPayload, Delivery } from './deliveries.sql.js';
import { isPaused } from './paused.js';
import type { SubscriptionSettings } from './subscription-settings.js';

/** A delivery that this worker has begun: it alone may end it, as long as `invocationId` stands in the row. */
export interface StartedDelivery extends Delivery {
  readonly payload: DeliveredPayload;
  readonly invocationId: string;
  /** 1 for the first try; counts tries whose worker died, too. */
  readonly attempt: number;
  /** Tries that failed. */
  readonly failures: number;
  /** How its subscription wants it to be made. */
  readonly settings: SubscriptionSettings;
  readonly orderingKey: string | null;
  /** The deployment that it is for; null: whichever answers. */
  readonly deploymentNumber: number | null;
}

/** Why a delivery was not begun, and when it is worth asking again. */
export interface Waiting {
  readonly reason: 'behind others' | 'paused' | 'batched' | 'in a parcel';
  readonly waitMs: number;
}

export type DeliveryRow = Omit<StartedDelivery, 'payload'> & DeliveredPayload;

/** Of table `deliveries`, what a {@link DeliveryRow} holds. */
export const startedColumns = `
  id, project_ref as "projectRef", subscription_id as "subscriptionId", function_slug as "functionSlug",
  event_id as "eventId", event_name as "eventName",
  case split_part(event_name, '.', 1)
    when 'object' then (payload ->> 'bucket') || '/' || (payload ->> 'name')
    when 'row' then (payload ->> 'schema') || '.' || (payload ->> 'table')
    when 'user' then payload #>> '{record,id}'
    when 'function' then payload ->> 'function' end as subject,
  case when event_name like 'function.%' then payload::text end as whole,
  payload ->> 'schema' as schema, payload ->> 'table' as table,
  nullif(payload -> 'record', 'null')::text as record, nullif(payload -> 'old_record', 'null')::text as "oldRecord",
  payload -> 'left_out' as "leftOut", request_id as "requestId", root_id as "rootId", depth,
  occurred_at as "occurredAt", invocation_id as "invocationId", attempts as attempt, failures,
  ordering_key as "orderingKey", deployment_number as "deploymentNumber",
  coalesce((select s.settings from subscriptions s where s.id = subscription_id), '{}') as settings`;

/**
 * Of a delivery `d` that has an order and waits: how many are before it, counted no further than `countedAhead`. One that
 * was driven again has its old place, but whoever has begun meanwhile comes first. What has begun has its turn, and keeps
 * it when another worker takes it over.
 */
const countedAhead = 60;
const isOfSameOrder = (other: string) => `
  d.ordering_key is not null and d.state = 'queued'
  and ${other}.subscription_id = d.subscription_id and ${other}.ordering_key = d.ordering_key`;
const openAhead = `(
  (select count(*) from (
    select from deliveries before
    where ${isOfSameOrder('before')} and before.state in ('queued', 'running') and before.sequence < d.sequence
    limit ${countedAhead}) as ahead)
  + (select count(*) from deliveries begun
     where ${isOfSameOrder('begun')} and begun.state = 'running' and begun.sequence > d.sequence))::integer`;

/** Whoever ends the one before makes the next go on; this is for when that could not be told. */
const behindEachMs = 2_000;
/** A pause is asked about after as long as it has lasted, within these bounds. */
const pausedMs = { min: 2_000, max: 600_000 };

/** Whoever carries the parcel ends what it has begun; this is for when that could not be told. */
const inParcelMs = 2_000;

/** A try that is to begin. */
export interface NewTry {
  readonly deliveryId: string;
  readonly invocationId: string;
  /** The parcel whose job asks; null: the delivery's own job does. */
  readonly parcelId: string | null;
}

/**
 * Whether the job of try `t` may begin delivery `d`: what waits is begun by its own job or by its parcel's, what another
 * worker began and never ended only by the job that had begun it, which nobody else holds.
 */
const isOwn = `
  case when t.parcel is not null then d.parcel_id = t.parcel and d.state in ('queued', 'running')
    else d.state = 'queued' or d.state = 'running' and d.parcel_id is null end`;

/**
 * Begins tries of deliveries. Undefined for one that has ended (its job came twice), is gone, or has left the parcel. A
 * try that another worker began and never ended is taken over: that worker can no longer end the delivery.
 *
 * Its commit is not waited for: who takes up what a crash of PostgreSQL undid finds the delivery as if it had not begun,
 * and makes it. No end is recorded before its beginning, as it comes later in the same log.
 */
export async function startDeliveries(
  sql: Sql,
  tries: readonly NewTry[],
): Promise<(StartedDelivery | Waiting | undefined)[]> {
  const { rows } = await sql.query<DeliveryRow>(
    `with settings as materialized (select set_config('synchronous_commit', 'off', true))
     update deliveries d set state = 'running', attempts = attempts + 1, invocation_id = t.by, parcel_id = t.parcel
     from settings, unnest($1::uuid[], $2::uuid[], $3::uuid[]) as t (delivery, by, parcel)
     where d.id = t.delivery and ${isOwn} and not batched and not ${isPaused} and ${openAhead} = 0
     returning ${startedColumns}`,
    [
      tries.map(({ deliveryId }) => deliveryId),
      tries.map(({ invocationId }) => invocationId),
      tries.map(({ parcelId }) => parcelId),
    ],
  );
  const started = new Map(rows.map((row) => [row.id, startedOf(row)]));
  return Promise.all(tries.map((one) => started.get(one.deliveryId) ?? whyNot(sql, one)));
}

export function startedOf(row: DeliveryRow): StartedDelivery {
  const { subject, schema, table, record, oldRecord, leftOut, whole, ...delivery } = row;
  return { ...delivery, payload: { subject, schema, table, record, oldRecord, leftOut, whole } };
}

async function whyNot(sql: Sql, { deliveryId, parcelId }: NewTry): Promise<Waiting | undefined> {
  const { rows } = await sql.query<{
    batched: boolean;
    inParcel: boolean;
    pausedForMs: number | null;
    ahead: number;
  }>(
    `select batched, ${openAhead} as ahead, state = 'running' and d.parcel_id is not null as "inParcel",
       extract(epoch from now() - least(
         (select events_paused_at from functions f where f.project_ref = d.project_ref and f.slug = d.function_slug),
         (select paused_at from subscriptions s where s.id = d.subscription_id)))::float8 * 1000 as "pausedForMs"
     from deliveries d
     where id = $1 and state in ('queued', 'running') and ($2::uuid is null or d.parcel_id = $2)`,
    [deliveryId, parcelId],
  );
  const [row] = rows;
  if (!row) return undefined;
  if (row.pausedForMs !== null) return { reason: 'paused', waitMs: pauseWaitMs(row.pausedForMs) };
  if (row.batched) return { reason: 'batched', waitMs: 0 };
  if (row.inParcel) return { reason: 'in a parcel', waitMs: inParcelMs };
  // What was before it may have ended since: then it is its turn at once.
  return { reason: 'behind others', waitMs: row.ahead * behindEachMs };
}

function pauseWaitMs(pausedForMs: number): number {
  return Math.min(pausedMs.max, Math.max(pausedMs.min, pausedForMs));
}

/** The open delivery that is next in an order; undefined when there is none. */
export async function nextInOrder(
  sql: Sql,
  subscriptionId: string,
  orderingKey: string,
): Promise<string | undefined> {
  const { rows } = await sql.query<{ id: string }>(
    `select id from deliveries
     where subscription_id = $1 and ordering_key = $2 and state in ('queued', 'running') order by sequence limit 1`,
    [subscriptionId, orderingKey],
  );
  return rows[0]?.id;
}
