import { limits, type Sql } from '#libs/platform';

/** A delivery that was recorded because another one ended; it has no job yet. */
export interface FollowingDelivery {
  readonly id: string;
  readonly functionSlug: string;
}

/**
 * Ends a try: `succeeded` and `dead` end the delivery, and are told to the functions that subscribe to that; `queued`
 * leaves it for the next try. What was not tried at all (no instance was free) is given back and not counted.
 * @returns the deliveries that follow; undefined when another worker has taken the delivery over in the meantime: then
 *   nothing was written
 */
export async function endAttempt(
  sql: Sql,
  attempt: {
    deliveryId: string;
    invocationId: string;
    state: 'succeeded' | 'dead' | 'queued';
    error: string | null;
    tried: boolean;
    httpStatus: number | null;
  },
): Promise<FollowingDelivery[] | undefined> {
  return endedWith(
    sql,
    `update deliveries d
     set state = $4, attempts = attempts - case when $6 then 0 else 1 end,
         failures = failures + case when $6 and $4 <> 'succeeded' then 1 else 0 end,
         last_error = case when $4 = 'succeeded' then null else coalesce($5, last_error) end, invocation_id = null,
         finished_at = case when $4 = 'queued' then null else now() end
     where id = $3 and invocation_id = $1 and state = 'running'`,
    attempt,
    [attempt.deliveryId, attempt.state, attempt.error, attempt.tried],
  );
}

/** What became of one delivery of a batch. */
export interface BatchedEnd {
  readonly deliveryId: string;
  readonly state: 'succeeded' | 'dead' | 'queued';
  readonly error: string | null;
  /** How long until it may be tried again. */
  readonly waitMs: number;
}

/** The same of a try of several deliveries. */
export async function endBatch(
  tx: Sql,
  batch: { invocationId: string; tried: boolean; httpStatus: number | null; ends: readonly BatchedEnd[] },
): Promise<FollowingDelivery[] | undefined> {
  const { ends } = batch;
  const following = await endedWith(
    tx,
    `update deliveries d
     set state = e.state, attempts = attempts - case when $3 then 0 else 1 end,
         failures = failures + case when $3 and e.state <> 'succeeded' then 1 else 0 end,
         last_error = case when e.state = 'succeeded' then null else coalesce(e.error, last_error) end,
         retry_at = case when e.state = 'queued' then now() + make_interval(secs => e.wait_ms / 1000) end,
         invocation_id = null, batch_leader_id = null,
         finished_at = case when e.state = 'queued' then null else now() end
     from unnest($4::uuid[], $5::text[], $6::text[], $7::float8[]) as e (id, state, error, wait_ms)
     where d.id = e.id and d.invocation_id = $1 and d.state = 'running'`,
    batch,
    [
      batch.tried,
      ends.map((end) => end.deliveryId),
      ends.map((end) => end.state),
      ends.map((end) => end.error),
      ends.map((end) => end.waitMs),
    ],
  );
  if (following && batch.tried) await insertItems(tx, batch.invocationId, ends);
  return following;
}

/**
 * Runs an update of deliveries `d` and records in the same statement what is told of those that it ended. Loops are
 * stopped as in the relay, by depth and by budget.
 * @param update whose `$1` is the invocation and `$2` its status; `values` are what follows these
 */
async function endedWith(
  sql: Sql,
  update: string,
  { invocationId, httpStatus }: { invocationId: string; httpStatus: number | null },
  values: readonly unknown[],
): Promise<FollowingDelivery[] | undefined> {
  const { rows } = await sql.query<{ ended: number; following: FollowingDelivery[] }>(
    `with ended as (${update} returning d.*, gen_random_uuid() as told_id),
     told as (
       select e.*, s.id as to_subscription, s.function_slug as to_function, s.event as told, s.settings ? 'batch' as to_batch,
         case
           when e.depth >= ${limits.eventDepth} then 'Functions woke each other ${limits.eventDepth + 1} times in a row, up to '
             || s.function_slug || '; the limit is ${limits.eventDepth}. Filter the subscription by its function.'
           when e.depth > 0 and ${spentOfChain} >= ${limits.chainDeliveries} then 'What request ' || e.root_id
             || ' began has led to ${limits.chainDeliveries} deliveries within ${limits.chainMs / 60_000} minutes, the limit; last '
             || e.function_slug || ' → ' || s.event || ' → ' || s.function_slug || '.'
         end as refusal
       from ended e join subscriptions s on s.project_ref = e.project_ref
         and s.event = case e.state when 'succeeded' then 'function.succeeded' when 'dead' then 'function.failed' end
         and coalesce(s.filter ->> 'function', e.function_slug) = e.function_slug
     ),
     following as (
       insert into deliveries (id, project_ref, subscription_id, function_slug, event_id, event_name, payload, request_id,
                               root_id, depth, occurred_at, batched, state, last_error, finished_at)
       select gen_random_uuid(), project_ref, to_subscription, to_function, told_id, told,
         jsonb_build_object('function', function_slug, 'event', event_name, 'event_id', event_id, 'delivery_id', id,
           'attempts', attempts, 'invocation_id', $1::uuid, 'http_status', $2::integer, 'error', last_error,
           'request', payload),
         request_id, root_id, depth + 1, now(), to_batch, case when refusal is null then 'queued' else 'dead' end, refusal,
         case when refusal is null then null else now() end
       from told
       returning id, function_slug, state
     )
     select (select count(*) from ended)::integer as ended,
       coalesce((select jsonb_agg(jsonb_build_object('id', id, 'functionSlug', function_slug))
                 from following where state = 'queued'), '[]') as following`,
    [invocationId, httpStatus, ...values],
  );
  const [{ ended, following }] = rows as [{ ended: number; following: FollowingDelivery[] }];
  return ended === 0 ? undefined : following;
}

/** Of ended delivery `e`: the deliveries of its chain so far. */
const spentOfChain = `(
  select count(*) from deliveries c
  where c.project_ref = e.project_ref and c.root_id = e.root_id and c.depth > 0
    and c.created_at > now() - make_interval(secs => ${limits.chainMs / 1000}))`;

async function insertItems(tx: Sql, invocationId: string, ends: readonly BatchedEnd[]): Promise<void> {
  await tx.query(
    `insert into batch_items (invocation_id, delivery_id, succeeded)
     select $1, id, succeeded from unnest($2::uuid[], $3::boolean[]) as i (id, succeeded)
     on conflict do nothing`,
    [invocationId, ends.map((end) => end.deliveryId), ends.map((end) => end.state === 'succeeded')],
  );
}
