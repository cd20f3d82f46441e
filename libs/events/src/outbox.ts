import { AppError, limits, newId, type ProjectDatabase, type Sql } from '#libs/platform';
import {
  catalogue,
  type CommittedEvent,
  type EventName,
  type EventPayload,
  type EventSubject,
  type RequestedCall,
} from './catalogue.js';

/** How many events one claim of the relay takes. */
export const claimSize = 100;
/** Past this, another relay may take a claimed event: far longer than handing over a claim takes. */
const leaseSeconds = 10;

/**
 * Appends an event to the outbox in the transaction of the change it tells of: both are committed, or neither.
 * `tx` must run as the platform (outside `tx.asCaller`).
 *
 * @throws AppError `event_too_large` (413).
 */
export async function appendEvent<Name extends EventName>(
  tx: Sql,
  event: {
    name: Name;
    payload: EventPayload<Name>;
    requestId: string;
    depth: number;
    /** The request that everything began with, when that is another one. */
    rootId?: string;
  },
): Promise<void> {
  const payload = JSON.stringify(catalogue[event.name].parse(event.payload));
  if (Buffer.byteLength(payload) > limits.eventPayloadBytes) {
    throw new AppError({
      code: 'event_too_large',
      status: 413,
      message: `The event ${event.name} is larger than ${limits.eventPayloadBytes} bytes`,
    });
  }
  await tx.query(
    'insert into galley.outbox (id, name, payload, request_id, depth, root_id) values ($1, $2, $3, $4, $5, $6)',
    [newId(), event.name, payload, event.requestId, event.depth, event.rootId ?? event.requestId],
  );
}

interface OutboxRow extends EventSubject {
  /** A bigint, as text. */
  position: string;
  id: string;
  name: EventName;
  payload: string;
  request_id: string;
  depth: number;
  root_id: string;
  occurred_at: Date;
  request: RequestedCall | null;
  lease: string;
}

/** An event that a relay holds. */
export interface ClaimedEvent extends CommittedEvent {
  /** Until when, as PostgreSQL writes it: tells this claim from a later one, which another relay makes after that. */
  lease: string;
}

/** Leases the oldest events that no other relay holds. Two relays never hold the same event at a time. */
export async function claimEvents(sql: Sql): Promise<ClaimedEvent[]> {
  const { rows } = await sql.query<OutboxRow>(
    `update galley.outbox set leased_until = now() + make_interval(secs => $2)
     where id in (
       select id from galley.outbox
       where leased_until is null or leased_until < now()
       order by position
       limit $1
       for update skip locked
     )
     returning position, id, name, payload::text as payload, request_id, depth, root_id, occurred_at, request,
               payload ->> 'bucket' as bucket, payload ->> 'name' as object,
               payload #>> '{from,bucket}' as "fromBucket", payload #>> '{from,name}' as "fromObject",
               payload ->> 'schema' as schema, payload ->> 'table' as table,
               payload ->> 'queue' as queue, leased_until::text as lease`,
    [claimSize, leaseSeconds],
  );
  // RETURNING keeps no order.
  rows.sort((a, b) => Number(BigInt(a.position) - BigInt(b.position)));
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    subject: {
      bucket: row.bucket,
      object: row.object,
      fromBucket: row.fromBucket,
      fromObject: row.fromObject,
      schema: row.schema,
      table: row.table,
      queue: row.queue,
    },
    payload: row.payload,
    requestId: row.request_id,
    depth: row.depth,
    rootId: row.root_id,
    occurredAt: row.occurred_at,
    request: row.request,
    lease: row.lease,
  }));
}

/**
 * The same, but nothing while another relay holds a claim: what was appended later must not be recorded before it.
 */
export async function claimEventsInTurn(database: ProjectDatabase): Promise<ClaimedEvent[]> {
  return database.asSystem(async (tx) => {
    // A statement of its own: the next one has to see what the holder before committed.
    const { rows } = await tx.query<{ held: boolean }>(
      `select pg_try_advisory_xact_lock(hashtextextended('galley.outbox', 0)) as held`,
    );
    if (!rows[0]!.held) return [];
    const { rowCount } = await tx.query('select from galley.outbox where leased_until >= now() limit 1');
    return rowCount > 0 ? [] : claimEvents(tx);
  });
}

/** Of claimed events, `o` in the outbox and `held` as it was claimed. */
const isHeld = `o.id = held.id and o.leased_until = held.lease`;
const heldOf = (events: readonly ClaimedEvent[]) => [
  events.map(({ id }) => id),
  events.map(({ lease }) => lease),
];

/** Leases claimed events anew. Returns which are still held: others another relay has taken over meanwhile. */
export async function renewLeases(sql: Sql, events: readonly ClaimedEvent[]): Promise<ReadonlySet<string>> {
  const { rows } = await sql.query<{ id: string; lease: string }>(
    `update galley.outbox o set leased_until = now() + make_interval(secs => $3)
     from unnest($1::uuid[], $2::timestamptz[]) as held (id, lease) where ${isHeld}
     returning o.id, o.leased_until::text as lease`,
    [...heldOf(events), leaseSeconds],
  );
  const leases = new Map(rows.map(({ id, lease }) => [id, lease]));
  for (const event of events) event.lease = leases.get(event.id) ?? event.lease;
  return new Set(leases.keys());
}

/** Takes events out whose deliveries are all recorded. Returns those that were still this relay's: each is taken out once. */
export async function completeEvents(
  sql: Sql,
  events: readonly ClaimedEvent[],
): Promise<ReadonlySet<string>> {
  const { rows } = await sql.query<{ id: string }>(
    `delete from galley.outbox o using unnest($1::uuid[], $2::timestamptz[]) as held (id, lease)
     where ${isHeld} returning o.id`,
    heldOf(events),
  );
  return new Set(rows.map(({ id }) => id));
}
