import type { Sql } from '#libs/platform';
import { limits } from '../limits.js';
import { queuesChannel } from '../message-queues/queue-push.sql.js';
import { requestEvents } from '../requests/delivery-requests.sql.js';

/** What of a function's deliveries is meant; what is not named is not asked about. */
export interface DeliveryFilter {
  readonly event?: string | undefined;
  /** Part of the last error. */
  readonly error?: string | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
}

/** A delivery that has left or may join a line of others. */
export interface Moved {
  readonly functionSlug: string;
  readonly subscriptionId: string;
  readonly orderingKey: string | null;
}

/** Makes all of a function's deliveries rest, or go on. Undefined when there is no such function. */
export async function pauseFunction(
  sql: Sql,
  projectRef: string,
  slug: string,
  isPaused: boolean,
): Promise<{ pausedAt: Date | null } | undefined> {
  const { rows } = await sql.query<{ pausedAt: Date | null }>(
    `update functions set events_paused_at = case when $3 then coalesce(events_paused_at, now()) end
     where project_ref = $1 and slug = $2 returning events_paused_at as "pausedAt"`,
    [projectRef, slug, isPaused],
  );
  return rows[0];
}

/** The same of one subscription. */
export async function pauseSubscription(
  sql: Sql,
  projectRef: string,
  slug: string,
  subscription: { id: string; isPaused: boolean },
): Promise<{ pausedAt: Date | null } | undefined> {
  const { rows } = await sql.query<{ pausedAt: Date | null }>(
    `update subscriptions set paused_at = case when $4 then coalesce(paused_at, now()) end
     where project_ref = $1 and function_slug = $2 and id = $3 returning paused_at as "pausedAt"`,
    [projectRef, slug, subscription.id, subscription.isPaused],
  );
  return rows[0];
}

/** The first of a function's deliveries that wait, in their order. */
export async function queuedDeliveries(
  sql: Sql,
  projectRef: string,
  slug: string,
  limit: number,
): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    `select id from deliveries where project_ref = $1 and function_slug = $2 and state = 'queued'
     order by sequence limit $3`,
    [projectRef, slug, limit],
  );
  return rows.map(({ id }) => id);
}

/** Takes a delivery that waits out of its line. Undefined when it does not wait. */
export async function cancelDelivery(sql: Sql, projectRef: string, id: string): Promise<Moved | undefined> {
  const { rows } = await sql.query<Moved>(
    `update deliveries set state = 'cancelled', finished_at = now()
     where id = $1 and project_ref = $2 and state = 'queued'
     returning function_slug as "functionSlug", subscription_id as "subscriptionId", ordering_key as "orderingKey"`,
    [id, projectRef],
  );
  return rows[0];
}

/**
 * Opens dead deliveries again, the oldest first.
 * @returns their ids, and how many more there are, counted no further than `limits.countedDeliveries`
 */
export async function redriveDeliveries(
  sql: Sql,
  projectRef: string,
  slug: string,
  filter: DeliveryFilter,
  limit: number,
): Promise<{ ids: string[]; remaining: number }> {
  const values = [projectRef, slug, filter.event, filter.error, filter.since, filter.until];
  const { rows } = await sql.query<{ id: string }>(
    `update deliveries set ${reopened}
     where id in (select id from deliveries where ${isMeant} order by sequence limit $7 for update skip locked)
     returning id`,
    [...values, limit],
  );
  const { rows: counted } = await sql.query<{ remaining: number }>(
    `select count(*)::integer as remaining from (select from deliveries where ${isMeant} limit $7) as counted`,
    [...values, limits.countedDeliveries],
  );
  return { ids: rows.map(({ id }) => id), remaining: counted[0]!.remaining };
}

/** Opens a dead delivery again and returns its function; undefined when there is no such dead delivery. */
export async function redriveDelivery(
  sql: Sql,
  projectRef: string,
  deliveryId: string,
): Promise<string | undefined> {
  const { rows } = await sql.query<{ function_slug: string }>(
    `update deliveries set ${reopened}
     where id = $1 and project_ref = $2 and state = 'dead' and ${isKept} returning function_slug`,
    [deliveryId, projectRef],
  );
  return rows[0]?.function_slug;
}

/**
 * Records a delivery anew, with an id of its own and the request that it makes, for a deployment or whichever answers. It
 * has no place in any order. Of a message, readers keep off again.
 * @returns its function; undefined when there is no such delivery that has ended
 */
export async function replayDelivery(
  sql: Sql,
  projectRef: string,
  replay: { id: string; of: string; deployment: number | null },
): Promise<string | undefined> {
  const { rows } = await sql.query<{ function_slug: string }>(
    `with requested as (
       insert into delivery_requests (delivery_id, project_ref, method, target, headers, body, timeout_ms, caller, claims)
       select $2, project_ref, method, target, headers, body, timeout_ms, caller, claims
       from delivery_requests
       where delivery_id = (select id from deliveries where id = $3 and project_ref = $1 and ${isEnded})
     ), message as (
       insert into queue_settlements (project_ref, event_id)
       select project_ref, event_id from deliveries
       where id = $3 and project_ref = $1 and event_name = 'queue.message' and ${isEnded} and ${isKept}
       returning pg_notify('${queuesChannel}', project_ref)
     )
     insert into deliveries (id, project_ref, subscription_id, function_slug, event_id, event_name, payload,
                             request_id, root_id, depth, occurred_at, batched, deployment_number)
     select $2, project_ref, subscription_id, function_slug, event_id, event_name, payload, request_id, root_id, depth,
            occurred_at, batched, $4
     from deliveries
     where id = $3 and project_ref = $1 and ${isEnded} and ${isKept}
     returning function_slug`,
    [projectRef, replay.id, replay.of, replay.deployment],
  );
  return rows[0]?.function_slug;
}

export async function hasDeployment(
  sql: Sql,
  projectRef: string,
  deliveryId: string,
  number: number,
): Promise<boolean> {
  const { rowCount } = await sql.query(
    `select from deployments d join deliveries e using (project_ref, function_slug)
     where d.project_ref = $1 and e.id = $2 and d.number = $3`,
    [projectRef, deliveryId, number],
  );
  return rowCount > 0;
}

/** Whether a delivery has ended that cannot be made again, since the request that it made is not kept any more. */
export async function lacksRequest(sql: Sql, projectRef: string, id: string): Promise<boolean> {
  const { rowCount } = await sql.query(
    `select from deliveries where id = $1 and project_ref = $2 and ${isEnded} and not ${hasRequest}`,
    [id, projectRef],
  );
  return rowCount > 0;
}

const isEnded = `state not in ('queued', 'running')`;

const hasRequest = `(event_name not in ('${requestEvents.call}', '${requestEvents.trigger}')
  or exists (select from delivery_requests r where r.delivery_id = deliveries.id))`;

/** An event or a request that could not be kept, or is not any more, cannot be told again. */
const isKept = `payload <> '{}' and ${hasRequest}`;

const reopened = `state = 'queued', finished_at = null, attempts = 0, failures = 0, retry_at = null`;

const isMeant = `
  project_ref = $1 and function_slug = $2 and state = 'dead' and ${isKept}
  and ($3::text is null or event_name = $3)
  and ($4::text is null or strpos(last_error, $4) > 0)
  and ($5::timestamptz is null or created_at >= $5)
  and ($6::timestamptz is null or created_at < $6)`;
