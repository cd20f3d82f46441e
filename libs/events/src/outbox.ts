import { AppError, limits, newId, type Sql } from '#libs/platform';
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
  event: { name: Name; payload: EventPayload<Name>; requestId: string; depth: number },
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
    'insert into galley.outbox (id, name, payload, request_id, depth) values ($1, $2, $3, $4, $5)',
    [newId(), event.name, payload, event.requestId, event.depth],
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
  occurred_at: Date;
  request: RequestedCall | null;
}

/** Leases the oldest events that no other relay holds. Two relays never hold the same event at a time. */
export async function claimEvents(sql: Sql): Promise<CommittedEvent[]> {
  const { rows } = await sql.query<OutboxRow>(
    `update galley.outbox set leased_until = now() + make_interval(secs => $2)
     where id in (
       select id from galley.outbox
       where leased_until is null or leased_until < now()
       order by position
       limit $1
       for update skip locked
     )
     returning position, id, name, payload::text as payload, request_id, depth, occurred_at, request,
               payload ->> 'bucket' as bucket, payload ->> 'name' as object,
               payload ->> 'schema' as schema, payload ->> 'table' as table`,
    [claimSize, leaseSeconds],
  );
  // RETURNING keeps no order.
  rows.sort((a, b) => Number(BigInt(a.position) - BigInt(b.position)));
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    subject: { bucket: row.bucket, object: row.object, schema: row.schema, table: row.table },
    payload: row.payload,
    requestId: row.request_id,
    depth: row.depth,
    occurredAt: row.occurred_at,
    request: row.request,
  }));
}

/** Takes events out whose deliveries are all recorded. Returns how many were still there: each is taken out once. */
export async function completeEvents(sql: Sql, ids: readonly string[]): Promise<number> {
  const { rowCount } = await sql.query('delete from galley.outbox where id = any($1::uuid[])', [ids]);
  return rowCount;
}
