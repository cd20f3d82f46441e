import { randomUUID } from 'node:crypto';
import type { Sql } from '#libs/platform';
import type { Client } from '../client.js';
import type { Session } from './session.js';

const sessionColumns = `
  s.id, s.user_id, s.aal, s.not_after,
  coalesce((
    select jsonb_agg(
      jsonb_build_object('method', a.authentication_method, 'timestamp', floor(extract(epoch from a.updated_at)))
      order by a.updated_at desc
    )
    from auth.mfa_amr_claims a where a.session_id = s.id
  ), '[]') as amr`;

export async function findSession(tx: Sql, id: string): Promise<Session | null> {
  const { rows } = await tx.query<Session>(`select ${sessionColumns} from auth.sessions s where s.id = $1`, [
    id,
  ]);
  return rows[0] ?? null;
}

/** Takes the session's row until the transaction ends; null when it has gone meanwhile. */
export async function lockSession(tx: Sql, id: string): Promise<Session | null> {
  const { rows } = await tx.query<Session>(
    `select ${sessionColumns} from auth.sessions s where s.id = $1 for update of s`,
    [id],
  );
  return rows[0] ?? null;
}

/** Opens a session with its first refresh token, and notes the sign-in with the user. Returns its time. */
export async function insertSession(
  tx: Sql,
  session: { id: string; userId: string; refreshToken: string; method: string; client: Client },
): Promise<Date> {
  const { rows } = await tx.query<{ last_sign_in_at: Date }>(
    `with session as (
       insert into auth.sessions (id, user_id, aal, created_at, updated_at, ip, user_agent)
       values ($1, $2::uuid, 'aal1', now(), now(), $3, $4)
     ), token as (
       insert into auth.refresh_tokens (instance_id, token, user_id, revoked, parent, session_id, created_at, updated_at)
       values ('00000000-0000-0000-0000-000000000000', $5, $2::text, false, '', $1, now(), now())
     ), amr as (
       insert into auth.mfa_amr_claims (id, session_id, authentication_method, created_at, updated_at)
       values ($6, $1, $7, now(), now())
     )
     update auth.users set last_sign_in_at = now(), updated_at = now() where id = $2::uuid
     returning last_sign_in_at`,
    [
      session.id,
      session.userId,
      session.client.ip,
      session.client.userAgent,
      session.refreshToken,
      randomUUID(),
      session.method,
    ],
  );
  return rows[0]!.last_sign_in_at;
}

/** `refreshed_at` is a timestamp without time zone, in UTC. */
export async function noteRefresh(tx: Sql, id: string, client: Client): Promise<void> {
  await tx.query(
    `update auth.sessions
     set refreshed_at = now() at time zone 'utc', updated_at = now(), ip = $2, user_agent = $3
     where id = $1`,
    [id, client.ip, client.userAgent],
  );
}

/** Deletes one session; its refresh tokens go with it, as with the two below. */
export async function deleteSession(tx: Sql, id: string): Promise<void> {
  await tx.query('delete from auth.sessions where id = $1', [id]);
}

export async function deleteOtherSessions(tx: Sql, userId: string, keptId: string): Promise<void> {
  await tx.query('delete from auth.sessions where user_id = $1 and id <> $2', [userId, keptId]);
}

export async function deleteAllSessions(tx: Sql, userId: string): Promise<void> {
  await tx.query('delete from auth.sessions where user_id = $1', [userId]);
}
