import { limits, type Sql } from '#libs/platform';

/** A delivery that was recorded because another one ended; it has no job yet. */
export interface FollowingDelivery {
  readonly id: string;
  readonly functionSlug: string;
}

/** What becomes of a delivery after a try. */
export interface EndedTry {
  readonly deliveryId: string;
  readonly invocationId: string;
  /** `succeeded` and `dead` end the delivery; `queued` leaves it for the next try. */
  readonly state: 'succeeded' | 'dead' | 'queued';
  readonly error: string | null;
  /** Whether it counts: what was not tried at all, since no instance was free say, is given back. */
  readonly tried: boolean;
  readonly httpStatus: number | null;
  /** How long until it may be tried again, where nobody else knows that. */
  readonly retryInMs: number | null;
}

/**
 * Ends tries. Those that end their delivery are told to the functions that subscribe to that.
 * @returns for each the deliveries that follow; undefined when another worker has taken the delivery over in the
 *   meantime: then nothing was written of it
 */
export async function endTries(
  sql: Sql,
  tries: readonly EndedTry[],
): Promise<(FollowingDelivery[] | undefined)[]> {
  const { rows } = await sql.query<{ ended: string[]; following: (FollowingDelivery & { after: string })[] }>(
    `with ended as (${endUpdate}),
     told as (${toldSelect}),
     spent as materialized (${spentSelect}),
     judged as (${judgedSelect}),
     following as (${followingInsert})
     select coalesce((select jsonb_agg(id) from ended), '[]') as ended,
       coalesce((select jsonb_agg(jsonb_build_object('id', id, 'functionSlug', function_slug, 'after', after))
                 from following where state = 'queued'), '[]') as following`,
    [
      tries.map((one) => one.deliveryId),
      tries.map((one) => one.invocationId),
      tries.map((one) => one.state),
      tries.map((one) => one.error),
      tries.map((one) => one.tried),
      tries.map((one) => one.httpStatus),
      tries.map((one) => one.retryInMs),
    ],
  );
  const { following } = rows[0]!;
  const ended = new Set(rows[0]!.ended);
  return tries.map(({ deliveryId }) =>
    ended.has(deliveryId) ? following.filter(({ after }) => after === deliveryId) : undefined,
  );
}

const endUpdate = `
  update deliveries d
  set state = t.state, attempts = attempts - case when t.tried then 0 else 1 end,
      failures = failures + case when t.tried and t.state <> 'succeeded' then 1 else 0 end,
      last_error = case when t.state = 'succeeded' then null else coalesce(t.error, last_error) end,
      retry_at = case when t.state = 'queued' then now() + make_interval(secs => t.retry_ms / 1000) end,
      invocation_id = null, batch_leader_id = null, parcel_id = null,
      finished_at = case when t.state = 'queued' then null else now() end
  from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::boolean[], $6::integer[], $7::float8[])
    as t (delivery, by, state, error, tried, http_status, retry_ms)
  where d.id = t.delivery and d.invocation_id = t.by and d.state = 'running'
  returning d.*, t.by, t.http_status, gen_random_uuid() as told_id`;

/** Who is told of each ended delivery `e`; and of those of one chain, how many are told before. */
const toldSelect = `
  select e.*, s.id as to_subscription, s.function_slug as to_function, s.event as told, s.settings ? 'batch' as to_batch,
    row_number() over (partition by e.project_ref, e.root_id, e.depth > 0) - 1 as told_before
  from ended e join subscriptions s on s.project_ref = e.project_ref
    and s.event = case e.state when 'succeeded' then 'function.succeeded' when 'dead' then 'function.failed' end
    and coalesce(s.filter ->> 'function', e.function_slug) = e.function_slug`;

/** Deliveries of each chain so far, counted once for all that ended of it, and no further than the budget goes. */
const spentSelect = `
  select project_ref, root_id, (
    select count(*) from (
      select from deliveries c
      where c.project_ref = chain.project_ref and c.root_id = chain.root_id and c.depth > 0
        and c.created_at > now() - make_interval(secs => ${limits.chainMs / 1000})
      limit ${limits.chainDeliveries}) as counted) as deliveries
  from (select distinct project_ref, root_id from told where depth > 0) as chain`;

/** Loops are stopped as in the relay, by depth and by budget. */
const judgedSelect = `
  select t.*,
    case
      when depth >= ${limits.eventDepth} then 'Functions woke each other ${limits.eventDepth + 1} times in a row, up to '
        || to_function || '; the limit is ${limits.eventDepth}. Filter the subscription by its function.'
      when depth > 0 and s.deliveries + told_before >= ${limits.chainDeliveries} then 'What request ' || root_id
        || ' began has led to ${limits.chainDeliveries} deliveries within ${limits.chainMs / 60_000} minutes, the limit; last '
        || function_slug || ' → ' || told || ' → ' || to_function || '.'
    end as refusal
  from told t left join spent s using (project_ref, root_id)`;

const followingInsert = `
  insert into deliveries (id, project_ref, subscription_id, function_slug, event_id, event_name, payload, request_id,
                          root_id, depth, occurred_at, batched, state, last_error, finished_at)
  select gen_random_uuid(), project_ref, to_subscription, to_function, told_id, told,
    jsonb_build_object('function', function_slug, 'event', event_name, 'event_id', event_id, 'delivery_id', id,
      'attempts', attempts, 'invocation_id', by, 'http_status', http_status, 'error', last_error, 'request', payload),
    request_id, root_id, depth + 1, now(), to_batch, case when refusal is null then 'queued' else 'dead' end, refusal,
    case when refusal is null then null else now() end
  from judged
  returning id, function_slug, state, payload ->> 'delivery_id' as after`;

/** The same of the deliveries of a batch, which have one invocation. */
export async function endBatch(tx: Sql, ends: readonly EndedTry[]): Promise<FollowingDelivery[] | undefined> {
  const following = await endTries(tx, ends);
  if (following.every((own) => own === undefined)) return undefined;
  const [{ invocationId, tried }] = ends as [EndedTry];
  if (tried) await insertItems(tx, invocationId, ends);
  return following.flatMap((own) => own ?? []);
}

async function insertItems(tx: Sql, invocationId: string, ends: readonly EndedTry[]): Promise<void> {
  await tx.query(
    `insert into batch_items (invocation_id, delivery_id, succeeded)
     select $1, id, succeeded from unnest($2::uuid[], $3::boolean[]) as i (id, succeeded)
     on conflict do nothing`,
    [invocationId, ends.map((end) => end.deliveryId), ends.map((end) => end.state === 'succeeded')],
  );
}
