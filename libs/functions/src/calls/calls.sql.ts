import type { Sql } from '#libs/platform';
import { limits } from '../limits.js';

export interface CallState {
  readonly id: string;
  /** As of its delivery: queued, running, succeeded, dead … */
  readonly state: string;
}

/** A call and what became of it. */
export interface Call extends CallState {
  readonly caller: string;
  readonly functionSlug: string;
  readonly attempts: number;
  readonly lastError: string | null;
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
  readonly responseStatus: number | null;
  readonly responseHeaders: Record<string, string | string[]> | null;
  readonly responseBody: Buffer | null;
}

/** What calls take in the database, with their answers. */
export interface Kept {
  readonly calls: number;
  readonly bytes: number;
}

/** Whether as many calls of the function wait as may. */
export async function isQueueFull(sql: Sql, projectRef: string, slug: string): Promise<boolean> {
  const { rows } = await sql.query<{ isFull: boolean }>(
    `select coalesce(sum(calls), 0) >= $3 as "isFull" from waiting_calls where project_ref = $1 and function_slug = $2`,
    [projectRef, slug, limits.queuedCalls],
  );
  return rows[0]!.isFull;
}

/** What calls of the project keep in all, and of this what anonymous callers do. */
export async function keptCalls(sql: Sql, projectRef: string): Promise<{ all: Kept; anonymous: Kept }> {
  const { rows } = await sql.query<Record<'calls' | 'bytes' | 'anonymousCalls' | 'anonymousBytes', number>>(
    `select coalesce(sum(calls), 0)::float8 as calls, coalesce(sum(bytes), 0)::float8 as bytes,
            coalesce(sum(anonymous_calls), 0)::float8 as "anonymousCalls",
            coalesce(sum(anonymous_bytes), 0)::float8 as "anonymousBytes"
     from kept_calls where project_ref = $1`,
    [projectRef],
  );
  const { calls, bytes, anonymousCalls, anonymousBytes } = rows[0]!;
  return { all: { calls, bytes }, anonymous: { calls: anonymousCalls, bytes: anonymousBytes } };
}

/** False when another transaction holds the key. */
export async function lockIdempotency(tx: Sql, idempotencyId: string): Promise<boolean> {
  const { rows } = await tx.query<{ taken: boolean }>(
    'select pg_try_advisory_xact_lock(hashtextextended($1, 0)) as taken',
    [`galley idempotency ${idempotencyId}`],
  );
  return rows[0]!.taken;
}

/** A key stands for its call for so long, however long that takes. */
export async function forgetOldKey(tx: Sql, idempotencyId: string): Promise<void> {
  await tx.query(
    `update delivery_requests set idempotency_id = null
     where idempotency_id = $1 and created_at < now() - make_interval(secs => $2::float8 / 1000)`,
    [idempotencyId, limits.callKeptMs],
  );
}

export async function callByIdempotency(
  tx: Sql,
  idempotencyId: string,
): Promise<(CallState & { fingerprint: Buffer }) | undefined> {
  const { rows } = await tx.query<CallState & { fingerprint: Buffer }>(
    `select d.id, d.state, r.fingerprint
     from delivery_requests r join deliveries d on d.id = r.delivery_id where r.idempotency_id = $1`,
    [idempotencyId],
  );
  return rows[0];
}

/** Undefined when there is no such call, or none any more. */
export async function findCall(sql: Sql, projectRef: string, id: string): Promise<Call | undefined> {
  const { rows } = await sql.query<Call>(
    `select d.id, d.state, d.function_slug as "functionSlug", d.attempts, d.last_error as "lastError",
            d.finished_at as "finishedAt", r.caller, r.created_at as "createdAt",
            r.response_status as "responseStatus", r.response_headers as "responseHeaders",
            r.response_body as "responseBody"
     from delivery_requests r join deliveries d on d.id = r.delivery_id
     where r.delivery_id = $1 and r.project_ref = $2 and r.caller is not null
       and (d.finished_at is null or d.finished_at > now() - make_interval(secs => $3::float8 / 1000))`,
    [id, projectRef, limits.callKeptMs],
  );
  return rows[0];
}
