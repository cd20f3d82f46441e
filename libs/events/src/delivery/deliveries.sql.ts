import type { Sql } from '#libs/platform';
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
  readonly depth: number;
  readonly occurredAt: Date;
}

/** A delivery as the relay records it. */
export interface NewDelivery extends Delivery {
  /** JSON text. */
  readonly payload: string;
  /** Why it is dead from the beginning; null when it is not. */
  readonly refusal: string | null;
}

/** What a function is told of an event; the records are JSON text, so that each number stays what it was. */
export interface DeliveredPayload {
  readonly schema: string | null;
  readonly table: string | null;
  readonly record: string | null;
  readonly oldRecord: string | null;
  readonly leftOut: string[] | null;
}

/** A delivery that this worker has begun: it alone may end it, as long as `invocationId` stands in the row. */
export interface StartedDelivery extends Delivery {
  readonly payload: DeliveredPayload;
  readonly invocationId: string;
  /** 1 for the first try; counts tries whose worker died, too. */
  readonly attempt: number;
}

export async function subscriptionsTo(
  sql: Sql,
  projectRef: string,
  events: readonly string[],
): Promise<Subscription[]> {
  const { rows } = await sql.query<Subscription>(
    `select id, function_slug as "functionSlug", event, filter from subscriptions
     where project_ref = $1 and event = any($2::text[])`,
    [projectRef, events],
  );
  return rows;
}

/** Records deliveries; one that is recorded already stays as it is. */
export async function insertDeliveries(sql: Sql, deliveries: readonly NewDelivery[]): Promise<void> {
  await sql.query(
    `insert into deliveries (id, project_ref, subscription_id, function_slug, event_id, event_name, payload,
                             request_id, depth, occurred_at, state, last_error, finished_at)
     select id, project_ref, subscription_id, function_slug, event_id, event_name, payload, request_id, depth,
            occurred_at, case when refusal is null then 'queued' else 'dead' end, refusal,
            case when refusal is null then null else now() end
     from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::text[]::jsonb[], $8::text[],
                 $9::integer[], $10::timestamptz[], $11::text[])
       as d (id, project_ref, subscription_id, function_slug, event_id, event_name, payload, request_id, depth,
             occurred_at, refusal)
     on conflict (id) do nothing`,
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
    ],
  );
}

/**
 * Begins a try. Undefined when the delivery has ended (its job came twice) or is gone. A try that another worker
 * began and never ended is taken over: that worker can no longer end the delivery.
 */
export async function startDelivery(
  sql: Sql,
  deliveryId: string,
  invocationId: string,
): Promise<StartedDelivery | undefined> {
  const { rows } = await sql.query<Omit<StartedDelivery, 'payload'> & DeliveredPayload>(
    `update deliveries set state = 'running', attempts = attempts + 1, invocation_id = $2
     where id = $1 and state in ('queued', 'running')
     returning id, project_ref as "projectRef", subscription_id as "subscriptionId",
               function_slug as "functionSlug", event_id as "eventId", event_name as "eventName",
               payload ->> 'schema' as schema, payload ->> 'table' as table,
               nullif(payload -> 'record', 'null')::text as record,
               nullif(payload -> 'old_record', 'null')::text as "oldRecord", payload -> 'left_out' as "leftOut",
               request_id as "requestId", depth, occurred_at as "occurredAt",
               invocation_id as "invocationId", attempts as attempt`,
    [deliveryId, invocationId],
  );
  if (!rows[0]) return undefined;
  const { schema, table, record, oldRecord, leftOut, ...delivery } = rows[0];
  return { ...delivery, payload: { schema, table, record, oldRecord, leftOut } };
}

/**
 * Ends a try: `succeeded` and `dead` end the delivery, `queued` leaves it for the next try. What was not tried at all
 * (no instance was free) is given back and not counted.
 * @returns false when another worker has taken the delivery over in the meantime; then nothing was written
 */
export async function endAttempt(
  sql: Sql,
  attempt: {
    deliveryId: string;
    invocationId: string;
    state: 'succeeded' | 'dead' | 'queued';
    error: string | null;
    tried: boolean;
  },
): Promise<boolean> {
  const { rowCount } = await sql.query(
    `update deliveries
     set state = $3, attempts = attempts - case when $5 then 0 else 1 end,
         last_error = case when $3 = 'succeeded' then null else coalesce($4, last_error) end, invocation_id = null,
         finished_at = case when $3 = 'queued' then null else now() end
     where id = $1 and invocation_id = $2 and state = 'running'`,
    [attempt.deliveryId, attempt.invocationId, attempt.state, attempt.error, attempt.tried],
  );
  return rowCount === 1;
}

/** Functions, and other targets, that have something to do, and how long the oldest event waits that nobody has begun (0: none does). */
export async function functionsWithWork(
  sql: Sql,
): Promise<{ projectRef: string; functionSlug: string; oldestAgeMs: number }[]> {
  const { rows } = await sql.query<{ projectRef: string; functionSlug: string; oldestAgeMs: number }>(
    `select f.project_ref as "projectRef", f.slug as "functionSlug",
            coalesce((select extract(epoch from clock_timestamp() - min(d.created_at)) * 1000 from deliveries d
                      where d.state = 'queued' and d.attempts = 0
                        and d.project_ref = f.project_ref and d.function_slug = f.slug), 0)::float8 as "oldestAgeMs"
     from (select project_ref, slug from functions f
           where exists (select from deliveries d where d.state in ('queued', 'running')
                         and d.project_ref = f.project_ref and d.function_slug = f.slug)
           union all
           select distinct project_ref, function_slug from deliveries
           where state in ('queued', 'running') and function_slug like '%.%') f`,
  );
  return rows;
}

/** Deliveries that have been open for a while: each should have a job. Oldest first. */
export async function openDeliveries(
  sql: Sql,
  olderThanMs: number,
  limit: number,
): Promise<{ id: string; projectRef: string; functionSlug: string }[]> {
  const { rows } = await sql.query<{ id: string; projectRef: string; functionSlug: string }>(
    `select id, project_ref as "projectRef", function_slug as "functionSlug" from deliveries
     where state in ('queued', 'running') and created_at < now() - make_interval(secs => $1::float8 / 1000)
     order by created_at limit $2`,
    [olderThanMs, limit],
  );
  return rows;
}

/** Ends the deliveries to functions that were deleted: nobody would ever take them. Returns how many those were. */
export async function endDeliveriesToNobody(sql: Sql, olderThanMs: number): Promise<number> {
  const { rowCount } = await sql.query(
    `update deliveries d set state = 'dead', finished_at = now(), last_error = 'The function was deleted or switched off'
     where state = 'queued' and created_at < now() - make_interval(secs => $1::float8 / 1000)
       and function_slug not like '%.%'
       and not exists (select from functions f where f.project_ref = d.project_ref and f.slug = d.function_slug)`,
    [olderThanMs],
  );
  return rowCount;
}

/** Opens a dead delivery again and returns its function; undefined when there is no such dead delivery. */
export async function redriveDelivery(
  sql: Sql,
  projectRef: string,
  deliveryId: string,
): Promise<string | undefined> {
  const { rows } = await sql.query<{ function_slug: string }>(
    `update deliveries set state = 'queued', finished_at = null, attempts = 0
     where id = $1 and project_ref = $2 and state = 'dead' returning function_slug`,
    [deliveryId, projectRef],
  );
  return rows[0]?.function_slug;
}
