import type { StartedDelivery } from '#libs/events';
import type { Project } from '#libs/platform';
import { limits } from '../limits.js';

/** The body of an event run: the shape of Supabase's database webhooks, for every kind of event. */
export interface EventBody {
  readonly type: 'INSERT' | 'UPDATE' | 'DELETE';
  readonly schema: string;
  readonly table: string;
  readonly record: unknown;
  readonly old_record: unknown;
  /** Columns that are null here because the row is too large for an event. */
  readonly left_out?: readonly string[];
}

export function eventBody(eventName: string, payload: unknown): EventBody {
  const { schema, table, record, old_record, left_out } = payload as {
    schema: string;
    table: string;
    record: unknown;
    old_record: unknown;
    left_out?: string[];
  };
  switch (eventName) {
    case 'user.created':
      return { type: 'INSERT', schema: 'auth', table: 'users', record, old_record: null };
    case 'object.created':
      return { type: 'INSERT', schema: 'storage', table: 'objects', record, old_record: null };
    case 'object.removed':
      return { type: 'DELETE', schema: 'storage', table: 'objects', record: null, old_record: record };
    case 'row.inserted':
      return { type: 'INSERT', schema, table, record, old_record: null, ...(left_out && { left_out }) };
    case 'row.updated':
      return { type: 'UPDATE', schema, table, record, old_record, ...(left_out && { left_out }) };
    case 'row.deleted':
      return { type: 'DELETE', schema, table, record: null, old_record, ...(left_out && { left_out }) };
    default:
      throw new Error(`The event ${eventName} is not in the catalogue.`);
  }
}

/** Headers of an event run: a CloudEvent in binary mode (CloudEvents HTTP binding 1.0 §3.1). */
export function eventHeaders(project: Project, delivery: StartedDelivery): Record<string, string> {
  const api = new URL(project.apiUrl);
  return {
    host: api.host,
    'x-forwarded-proto': api.protocol.slice(0, -1),
    'content-type': 'application/json',
    'ce-specversion': '1.0',
    'ce-id': delivery.eventId,
    'ce-type': delivery.eventName,
    'ce-source': `/projects/${project.ref}`,
    'ce-time': delivery.occurredAt.toISOString(),
    'x-galley-attempt': String(delivery.attempt),
  };
}

/**
 * How long a 429 or 503 asks to wait (RFC 9110 §10.2.3: seconds or a date), in milliseconds; null when it does not.
 */
export function retryAfterMs(
  status: number,
  header: string | string[] | undefined,
  now: Date,
): number | null {
  if ((status !== 429 && status !== 503) || typeof header !== 'string') return null;
  const waitMs = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now.getTime();
  return Number.isNaN(waitMs) ? null : Math.min(Math.max(waitMs, 0), limits.retryAfterMs);
}
