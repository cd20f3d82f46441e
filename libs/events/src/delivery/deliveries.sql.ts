import { planOnce, type Sql } from '#libs/platform';
import { isPaused } from './paused.js';
import type { Subscription } from './subscription.js';

/** One event on its way to one function. */
export interface Delivery {
  readonly id: string;
  readonly projectRef: string;
  readonly subscriptionId: string;
  readonly functionSlug: string;
  readonly eventId: string;
  readonly eventName: string;
  readonly requestId: string;
  /** The request that everything began with; `requestId` itself when absent. */
  readonly rootId?: string;
  readonly depth: number;
  readonly occurredAt: Date;
}

/** A delivery as the relay records it. */
export interface NewDelivery extends Delivery {
  /** JSON text. */
  readonly payload: string;
  /** Why it is dead from the beginning; null when it is not. */
  readonly refusal: string | null;
  /** Deliveries of one subscription with the same key are made one after another. */
  readonly orderingKey?: string | null;
  /** Made together with others of its subscription. */
  readonly batched?: boolean;
  /** The deployment that it is for, whichever answers. */
  readonly deploymentNumber?: number | null;
  /** The job that carries it together with others; null: it has one of its own. */
  readonly parcelId?: string | null;
}

/** What a function is told of an event; the records are JSON text, so that each number stays what it was. */
export interface DeliveredPayload {
  /** What it happened to: `bucket/name` of an object, `schema.table` of a row, the id of an account. */
  readonly subject: string | null;
  readonly schema: string | null;
  readonly table: string | null;
  readonly record: string | null;
  readonly oldRecord: string | null;
  readonly leftOut: string[] | null;
  /** The whole payload, of events that are not about a row. */
  readonly whole: string | null;
}

export async function subscriptionsTo(
  sql: Sql,
  projectRef: string,
  events: readonly string[],
): Promise<Subscription[]> {
  const { rows } = await sql.query<Subscription>(
    `select id, function_slug as "functionSlug", event, filter, settings from subscriptions
     where project_ref = $1 and event = any($2::text[])`,
    [projectRef, events],
  );
  return rows;
}

export async function hasOrderedSubscriptions(sql: Sql, projectRef: string): Promise<boolean> {
  const { rowCount } = await sql.query(
    `select from subscriptions where project_ref = $1 and settings ? 'ordering_key' limit 1`,
    [projectRef],
  );
  return rowCount > 0;
}

/** Payloads of one statement, in characters: they are one string on their way. */
const mostPayload = 16 * 1024 * 1024;

/**
 * Records deliveries, in their order. One that is recorded already stays as it is, but for the parcel that it waits in: of
 * a relay that died before it had added its jobs, another one packs them anew.
 */
export async function insertDeliveries(sql: Sql, deliveries: readonly NewDelivery[]): Promise<void> {
  let begin = 0;
  let size = 0;
  for (const [at, { payload }] of deliveries.entries()) {
    if (size > 0 && size + payload.length > mostPayload) {
      await insertSome(sql, deliveries.slice(begin, at));
      [begin, size] = [at, 0];
    }
    size += payload.length;
  }
  await insertSome(sql, deliveries.slice(begin));
}

async function insertSome(sql: Sql, deliveries: readonly NewDelivery[]): Promise<void> {
  await sql.query(
    `with ${planOnce}
     insert into deliveries (id, project_ref, subscription_id, function_slug, event_id, event_name, payload,
                             request_id, depth, occurred_at, state, last_error, finished_at, root_id,
                             ordering_key, batched, deployment_number, parcel_id)
     select id, project_ref, subscription_id, function_slug, event_id, event_name, payload, request_id, depth,
            occurred_at, case when refusal is null then 'queued' else 'dead' end, refusal,
            case when refusal is null then null else now() end, root_id, ordering_key, batched, deployment_number, parcel_id
     from planned, unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::text[]::jsonb[], $8::text[],
                 $9::integer[], $10::timestamptz[], $11::text[], $12::text[], $13::text[], $14::boolean[], $15::integer[],
                 $16::uuid[])
       as d (id, project_ref, subscription_id, function_slug, event_id, event_name, payload, request_id, depth,
             occurred_at, refusal, root_id, ordering_key, batched, deployment_number, parcel_id)
     on conflict (id) do update set parcel_id = excluded.parcel_id
       where deliveries.state = 'queued' and deliveries.parcel_id is not null`,
    [
      deliveries.map((d) => d.id),
      deliveries.map((d) => d.projectRef),
      deliveries.map((d) => d.subscriptionId),
      deliveries.map((d) => d.functionSlug),
      deliveries.map((d) => d.eventId),
      deliveries.map((d) => d.eventName),
      deliveries.map((d) => d.payload),
      deliveries.map((d) => d.requestId),
      deliveries.map((d) => d.depth),
      deliveries.map((d) => d.occurredAt),
      deliveries.map((d) => d.refusal),
      deliveries.map((d) => d.rootId ?? d.requestId),
      deliveries.map((d) => d.orderingKey ?? null),
      deliveries.map((d) => d.batched ?? false),
      deliveries.map((d) => d.deploymentNumber ?? null),
      deliveries.map((d) => d.parcelId ?? null),
    ],
  );
}

/** Whether delivery `d` may be tried now. */
const isDue = `d.state in ('queued', 'running') and coalesce(d.retry_at <= now(), true) and not ${isPaused}`;

/**
 * Functions, and other targets, that have something to do, and may; and how long the oldest event waits that nobody has
 * begun (0: none does).
 */
export async function functionsWithWork(
  sql: Sql,
): Promise<{ projectRef: string; functionSlug: string; oldestAgeMs: number }[]> {
  const { rows } = await sql.query<{ projectRef: string; functionSlug: string; oldestAgeMs: number }>(
    `select f.project_ref as "projectRef", f.slug as "functionSlug",
            coalesce((select extract(epoch from clock_timestamp() - min(d.created_at)) * 1000 from deliveries d
                      where d.state = 'queued' and d.attempts = 0
                        and d.project_ref = f.project_ref and d.function_slug = f.slug), 0)::float8 as "oldestAgeMs"
     from (select project_ref, slug from functions
           union all
           select distinct project_ref, function_slug from deliveries
           where state in ('queued', 'running') and function_slug like '%.%') f
     where exists (select from deliveries d where ${isDue}
                   and d.project_ref = f.project_ref and d.function_slug = f.slug)`,
  );
  return rows;
}

export interface OpenDelivery {
  readonly id: string;
  readonly projectRef: string;
  readonly functionSlug: string;
  readonly parcelId: string | null;
  /** As text, to the microsecond. */
  readonly createdAt: string;
}

/**
 * Deliveries that have been open for a while and may be tried now: each should have a job. Oldest first.
 * @param after the last one of those that were given before
 */
export async function openDeliveries(
  sql: Sql,
  olderThanMs: number,
  limit: number,
  after: OpenDelivery | undefined,
): Promise<OpenDelivery[]> {
  const { rows } = await sql.query<OpenDelivery>(
    `select id, project_ref as "projectRef", function_slug as "functionSlug", parcel_id as "parcelId", created_at::text as "createdAt"
     from deliveries d
     where ${isDue} and created_at < now() - make_interval(secs => $1::float8 / 1000)
       and (created_at, id) > (coalesce($3::timestamptz, '-infinity'), coalesce($4::uuid, '00000000-0000-0000-0000-000000000000'))
     order by created_at, id limit $2`,
    [olderThanMs, limit, after?.createdAt ?? null, after?.id ?? null],
  );
  return rows;
}

/**
 * Ends the deliveries to functions that were deleted: nobody would ever take them. Returns how many those were. One that
 * a worker had begun is given a day.
 */
export async function endDeliveriesToNobody(sql: Sql, olderThanMs: number): Promise<number> {
  const { rowCount } = await sql.query(
    `update deliveries d set state = 'dead', finished_at = now(), last_error = 'The function was deleted or switched off'
     where state in ('queued', 'running')
       and created_at < now() - greatest(make_interval(secs => $1::float8 / 1000),
                                         case when state = 'running' then interval '1 day' end)
       and function_slug not like '%.%'
       and not exists (select from functions f where f.project_ref = d.project_ref and f.slug = d.function_slug)`,
    [olderThanMs],
  );
  return rowCount;
}
