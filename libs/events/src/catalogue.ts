import { z } from 'zod';

const record = z.record(z.string(), z.unknown());

const objectChange = z.object({
  bucket: z.string(),
  /** Path of the object within its bucket. */
  name: z.string(),
  version: z.string(),
  sizeBytes: z.number().int().min(0),
  mimeType: z.string(),
  ownerId: z.string().nullable(),
  /** The row of `storage.objects`. */
  record,
});

const place = z.object({ bucket: z.string(), name: z.string() });
const scheduledRun = z.object({
  record: z.object({
    /** Its name. */
    schedule: z.string(),
    /** When the run was due. */
    scheduled_for: z.string(),
    payload: z.unknown(),
  }),
});

const queueMessage = z.object({
  queue: z.string(),
  record: z.object({
    queue: z.string(),
    msg_id: z.number(),
    enqueued_at: z.string(),
    message: z.unknown(),
  }),
});

const rowChange = z.object({
  schema: z.string(),
  table: z.string(),
  record: record.nullable(),
  old_record: record.nullable(),
  /** Columns whose long values are null here, because the row is too large for an event: read it from its table. */
  left_out: z.array(z.string()).optional(),
});

const functionEnd = z.object({
  function: z.string(),
  /** Of what it was woken by. */
  event: z.string(),
  event_id: z.uuid(),
  delivery_id: z.uuid(),
  attempts: z.int(),
  /** Of the last try; null when none was made. */
  invocation_id: z.uuid().nullable(),
  http_status: z.int().nullable(),
  error: z.string().nullable(),
  /** The payload of the event that it was woken by. */
  request: z.record(z.string(), z.unknown()),
});

/** Everything that can happen, and the shape of what is told about it. `noun.pastVerb`. */
export const catalogue = {
  /** An account was made; `record` is the row of `auth.users` without its secrets. */
  'user.created': z.object({ record }),
  /** Save for signing in, which is `user.signed_in`. */
  'user.updated': z.object({ record, old_record: record }),
  'user.deleted': z.object({ record }),
  /** A session was opened: also at a sign-up, after `user.created`. */
  'user.signed_in': z.object({ record }),
  /** By an upload or a copy. */
  'object.created': objectChange,
  /** Other bytes took its place. */
  'object.updated': objectChange.extend({ old_record: record }),
  /** Told at its new place; filters also match where it was. */
  'object.moved': objectChange.extend({ old_record: record, from: place }),
  'object.removed': objectChange,
  /** A row of a subscribed table was changed, by whatever statement. */
  'row.inserted': rowChange,
  'row.updated': rowChange,
  'row.deleted': rowChange,
  /** A delivery to a function succeeded, or is dead after its last try. Recorded with that, and never in an outbox. */
  'function.succeeded': functionEnd,
  'function.failed': functionEnd,
  /** A time of a schedule has come. It is for the schedule's function alone. */
  'schedule.fired': scheduledRun,
  /** A message was sent to a queue that functions subscribe to. */
  'queue.message': queueMessage,
} as const;

export type EventName = keyof typeof catalogue;
export type EventPayload<Name extends EventName> = z.infer<(typeof catalogue)[Name]>;

export const eventNames = Object.keys(catalogue) as [EventName, ...EventName[]];

/** What filters of subscriptions ask about; null where the event has no such thing. */
export interface EventSubject {
  readonly bucket: string | null;
  readonly object: string | null;
  /** Of a moved object: where it was. */
  readonly fromBucket: string | null;
  readonly fromObject: string | null;
  readonly schema: string | null;
  readonly table: string | null;
  readonly queue: string | null;
}

/** What a trigger of `supabase_functions.http_request` asks for. */
export interface RequestedCall {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, unknown>>;
  /** Of the query. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly timeout_ms: number;
}

/** An event as it was committed. */
export interface CommittedEvent {
  readonly id: string;
  readonly name: EventName;
  readonly subject: EventSubject;
  /** JSON text: numbers that JavaScript cannot hold pass unchanged. */
  readonly payload: string;
  /** The request that caused it. */
  readonly requestId: string;
  /** Functions between the first cause and this event. */
  readonly depth: number;
  /** The request that everything began with. */
  readonly rootId: string;
  readonly occurredAt: Date;
  /** The request that it is; absent: subscriptions decide who is told. */
  readonly request?: RequestedCall | null;
}
