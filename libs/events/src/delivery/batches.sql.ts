import type { Sql } from '#libs/platform';
import { fillBatch } from './batch-size.js';
import type { BatchSettings } from './subscription-settings.js';
import { isPaused } from './paused.js';
import {
  startedColumns,
  startedOf,
  type DeliveryRow,
  type StartedDelivery,
  type Waiting,
} from './start-delivery.sql.js';

/** A job runs late rather than early; what is due within this is due. */
const dueSlackMs = 100;
/** Whoever ends the batch makes those go on that failed; this is for when that could not be told. */
const inOthersBatchMs = 2_000;

interface LeaderRow {
  readonly isTakenOver: boolean;
  readonly payloadBytes: number;
  readonly batch: BatchSettings | null;
  readonly openedMs: number;
  readonly dueInMs: number;
  readonly isRetried: boolean;
}

/**
 * Begins a try of several deliveries of one subscription: of `leaderId`, whose job this is, and of others that wait. A
 * batch that a worker began which never ended is taken over as it is. Undefined when the leader has ended.
 *
 * A delivery is begun only by its own job or as part of another's batch; its row's lock decides by which. Whoever waits
 * for one holds no other and the turn alone, for which nobody waits who holds a row: so nobody waits in a circle.
 */
export async function startBatch(
  tx: Sql,
  leaderId: string,
  invocationId: string,
): Promise<StartedDelivery[] | Waiting | undefined> {
  await takeTurn(tx, leaderId);
  const leader = await lockLeader(tx, leaderId);
  if (!leader) return whileOpen(tx, leaderId);
  if (leader.isTakenOver) return begin(tx, leaderId, invocationId, 'batch_leader_id = $1');
  if (leader.dueInMs > 0) return { reason: 'batched', waitMs: leader.dueInMs };
  const { size, window_ms: windowMs } = leader.batch ?? { size: 1, window_ms: 0 };
  const others = await lockOthers(tx, leaderId, size - 1);
  const { ids, isFull } = fillBatch({ id: leaderId, payloadBytes: leader.payloadBytes }, others, size);
  const waitMs = windowMs - leader.openedMs;
  // Those that failed have waited already.
  if (!isFull && !leader.isRetried && waitMs > 0) return { reason: 'batched', waitMs };
  return begin(tx, leaderId, invocationId, 'id = any($3::uuid[])', ids);
}

/** In another's batch it may fail, and is then tried again by its own job: that must not end before it has. */
async function whileOpen(tx: Sql, deliveryId: string): Promise<Waiting | undefined> {
  const { rowCount } = await tx.query(
    `select from deliveries where id = $1 and state in ('queued', 'running')`,
    [deliveryId],
  );
  return rowCount === 0 ? undefined : { reason: 'batched', waitMs: inOthersBatchMs };
}

/** One leader of a subscription at a time: two at once would share out what is there. */
async function takeTurn(tx: Sql, leaderId: string): Promise<void> {
  await tx.query(
    `select pg_advisory_xact_lock(hashtextextended('batches of ' || subscription_id, 0)) from deliveries where id = $1`,
    [leaderId],
  );
}

async function lockLeader(tx: Sql, leaderId: string): Promise<LeaderRow | undefined> {
  const { rows } = await tx.query<LeaderRow>(
    `select state = 'running' as "isTakenOver", octet_length(payload::text) as "payloadBytes",
       (select s.settings -> 'batch' from subscriptions s where s.id = d.subscription_id) as batch,
       extract(epoch from now() - created_at)::float8 * 1000 as "openedMs",
       coalesce(extract(epoch from retry_at - now())::float8 * 1000, 0) - ${dueSlackMs} as "dueInMs",
       failures > 0 as "isRetried"
     from deliveries d
     where id = $1 and (state = 'queued' or state = 'running' and batch_leader_id = id) and not ${isPaused}
     for update of d`,
    [leaderId],
  );
  return rows[0];
}

async function lockOthers(tx: Sql, leaderId: string, limit: number) {
  const { rows } = await tx.query<{ id: string; payloadBytes: number }>(
    `select d.id, octet_length(d.payload::text) as "payloadBytes"
     from deliveries d join deliveries leader on leader.id = $1
     where d.subscription_id = leader.subscription_id and d.batched and d.state = 'queued' and d.id <> leader.id
       and (d.retry_at is null or d.retry_at <= now())
       and d.deployment_number is not distinct from leader.deployment_number
     order by d.sequence limit $2 for update of d skip locked`,
    [leaderId, limit],
  );
  return rows;
}

async function begin(
  tx: Sql,
  leaderId: string,
  invocationId: string,
  which: string,
  ids?: readonly string[],
): Promise<StartedDelivery[]> {
  const { rows } = await tx.query<DeliveryRow & { sequence: string }>(
    `update deliveries set state = 'running', attempts = attempts + 1, invocation_id = $2, batch_leader_id = $1
     where ${which} and state in ('queued', 'running')
     returning sequence, ${startedColumns}`,
    [leaderId, invocationId, ...(ids ? [ids] : [])],
  );
  rows.sort((a, b) => Number(BigInt(a.sequence) - BigInt(b.sequence)));
  return rows.map(({ sequence: _sequence, ...row }) => startedOf(row));
}
