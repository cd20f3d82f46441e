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

const rowChange = z.object({
  schema: z.string(),
  table: z.string(),
  record: record.nullable(),
  old_record: record.nullable(),
  /** Columns whose long values are null here, because the row is too large for an event: read it from its table. */
  left_out: z.array(z.string()).optional(),
});

/** Everything that can happen, and the shape of what is told about it. `noun.pastVerb`. */
export const catalogue = {
  /** An account was made; `record` is the row of `auth.users` without its secrets. */
  'user.created': z.object({ record }),
  'object.created': objectChange,
  'object.removed': objectChange,
  /** A row of a subscribed table was changed, by whatever statement. */
  'row.inserted': rowChange,
  'row.updated': rowChange,
  'row.deleted': rowChange,
} as const;

export type EventName = keyof typeof catalogue;
export type EventPayload<Name extends EventName> = z.infer<(typeof catalogue)[Name]>;

export const eventNames = Object.keys(catalogue) as [EventName, ...EventName[]];

/** What filters of subscriptions ask about; null where the event has no such thing. */
export interface EventSubject {
  readonly bucket: string | null;
  readonly object: string | null;
  readonly schema: string | null;
  readonly table: string | null;
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
  readonly occurredAt: Date;
  /** The request that it is; absent: subscriptions decide who is told. */
  readonly request?: RequestedCall | null;
}
