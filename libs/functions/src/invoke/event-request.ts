import type { DeliveredPayload, StartedDelivery } from '#libs/events';
import type { Project } from '#libs/platform';
import { limits } from '../limits.js';

/**
 * The body of an event run, as JSON text. Changes are told in the shape of Supabase's database webhooks:
 * `{type, schema, table, record, old_record}`, and `left_out` with the columns that are null here because the row is
 * too large for an event. What is told of a function's end is not about a row, and has its own fields after `type`; a
 * schedule's body is `{type, schedule, scheduled_for, payload}`, a queue's `{type, queue, msg_id, enqueued_at, message}`.
 */
export function eventBody(eventName: string, payload: DeliveredPayload): string {
  const { record, oldRecord } = payload;
  const row = { schema: payload.schema, table: payload.table };
  const user = { schema: 'auth', table: 'users' };
  const object = { schema: 'storage', table: 'objects' };
  const { leftOut } = payload;
  switch (eventName) {
    case 'user.created':
      return webhook({ type: 'INSERT', ...user, record });
    case 'user.updated':
      return webhook({ type: 'UPDATE', ...user, record, oldRecord });
    case 'user.signed_in':
      return webhook({ type: 'UPDATE', ...user, record });
    case 'user.deleted':
      return webhook({ type: 'DELETE', ...user, oldRecord: record });
    case 'object.created':
      return webhook({ type: 'INSERT', ...object, record });
    case 'object.updated':
    case 'object.moved':
      return webhook({ type: 'UPDATE', ...object, record, oldRecord });
    case 'object.removed':
      return webhook({ type: 'DELETE', ...object, oldRecord: record });
    case 'row.inserted':
      return webhook({ type: 'INSERT', ...row, record, leftOut });
    case 'row.updated':
      return webhook({ type: 'UPDATE', ...row, record, oldRecord, leftOut });
    case 'row.deleted':
      return webhook({ type: 'DELETE', ...row, oldRecord, leftOut });
    case 'function.succeeded':
    case 'function.failed':
      return `{"type":${JSON.stringify(eventName)},${payload.whole!.slice(1)}`;
    case 'schedule.fired':
      return withType('SCHEDULE', record!);
    case 'queue.message':
      return withType('QUEUE', record!);
    default:
      throw new Error(`The event ${eventName} is not in the catalogue.`);
  }
}

/** `record` is the text of an object. */
function withType(type: string, record: string): string {
  return `{"type":"${type}",${record.slice(1)}`;
}

/** The records go in as the text that they are: parsing them would round numbers that JavaScript cannot hold. */
function webhook(change: {
  type: 'INSERT' | 'UPDATE' | 'DELETE';
  schema: string | null;
  table: string | null;
  record?: string | null;
  oldRecord?: string | null;
  leftOut?: readonly string[] | null;
}): string {
  const { type, schema, table, leftOut } = change;
  const head = JSON.stringify({ type, schema, table, ...(leftOut && { left_out: leftOut }) });
  return `${head.slice(0, -1)},"record":${change.record ?? 'null'},"old_record":${change.oldRecord ?? 'null'}}`;
}

/**
 * Headers of an event run: a CloudEvent in binary mode (CloudEvents HTTP binding 1.0 §3.1). `idempotency-key` is the same
 * for each try of a delivery.
 */
export function eventHeaders(project: Project, delivery: StartedDelivery): Record<string, string> {
  const { datacontenttype, ...attributes } = eventAttributes(project, delivery);
  const headers: Record<string, string> = {
    ...platformHeaders(project),
    'content-type': datacontenttype,
    'idempotency-key': delivery.id,
  };
  for (const [name, value] of Object.entries(attributes)) headers[`ce-${name}`] = headerValue(String(value));
  return headers;
}

/** They are the same for each of a project's runs, and parsing a URL takes as long as all the rest. */
const knownHeaders = new WeakMap<Project, { host: string; 'x-forwarded-proto': string }>();

export function platformHeaders(project: Project) {
  const known = knownHeaders.get(project);
  if (known) return known;
  const api = new URL(project.apiUrl);
  const headers = { host: api.host, 'x-forwarded-proto': api.protocol.slice(0, -1) };
  knownHeaders.set(project, headers);
  return headers;
}

/** The attributes of a CloudEvent (CloudEvents 1.0 §3), with one of our own: which try this is. */
export function eventAttributes(project: Project, delivery: StartedDelivery) {
  const { subject } = delivery.payload;
  return {
    specversion: '1.0',
    id: delivery.eventId,
    type: delivery.eventName,
    source: `/projects/${project.ref}`,
    ...(subject !== null && { subject }),
    time: delivery.occurredAt.toISOString(),
    datacontenttype: 'application/json',
    galleyattempt: delivery.attempt,
  };
}

const visible = /^[!#$&-~]*$/;

/** CloudEvents HTTP binding 1.0 §3.1.3.2: all but visible ASCII is percent-encoded, and so are `"` and `%`. */
function headerValue(text: string): string {
  return visible.test(text)
    ? text
    : text.replace(/[^\x21-\x7e]|["%]/gu, (character) =>
        character < '\x80'
          ? `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
          : encodeURIComponent(character),
      );
}

/**
 * How long a 429 or 503 asks to wait (RFC 9110 §10.2.3: seconds or a date), in milliseconds; null when it does not, or names a moment that has passed.
 */
export function retryAfterMs(
  status: number,
  header: string | string[] | undefined,
  now: Date,
): number | null {
  if ((status !== 429 && status !== 503) || typeof header !== 'string') return null;
  const waitMs = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now.getTime();
  return waitMs > 0 ? Math.min(waitMs, limits.retryAfterMs) : null;
}
