import type { Sql } from '#libs/platform';
import { limits } from '../limits.js';

/** A row of `auth.refresh_tokens`. */
export interface RefreshToken {
  token: string;
  user_id: string;
  revoked: boolean;
  parent: string | null;
  session_id: string | null;
  /** Used so short a time ago that it may come again. */
  reusable: boolean;
}

const tokenColumns = `
  token, user_id, coalesce(revoked, false) as revoked, parent, session_id,
  updated_at > clock_timestamp() - make_interval(secs => ${limits.refreshReuseSeconds}) as reusable`;

export async function findRefreshToken(tx: Sql, token: string): Promise<RefreshToken | null> {
  const { rows } = await tx.query<RefreshToken>(
    `select ${tokenColumns} from auth.refresh_tokens where token = $1`,
    [token],
  );
  return rows[0] ?? null;
}

/** The newest token of the session that has not been used. */
export async function findActiveRefreshToken(tx: Sql, sessionId: string): Promise<RefreshToken | null> {
  const { rows } = await tx.query<RefreshToken>(
    `select ${tokenColumns} from auth.refresh_tokens
     where session_id = $1 and revoked is false
     order by id desc
     limit 1`,
    [sessionId],
  );
  return rows[0] ?? null;
}

/** Marks `used` as used, appends its successor, and forgets the session's long used ones. */
export async function rotateRefreshToken(tx: Sql, used: RefreshToken, successor: string): Promise<void> {
  await tx.query(
    `with used as (
       update auth.refresh_tokens set revoked = true, updated_at = clock_timestamp() where token = $1
     ), forgotten as (
       delete from auth.refresh_tokens
       where session_id = $4 and revoked and token <> $1
         and updated_at < now() - make_interval(hours => ${limits.usedRefreshTokenHours})
     )
     insert into auth.refresh_tokens (instance_id, token, user_id, revoked, parent, session_id, created_at, updated_at)
     values ('00000000-0000-0000-0000-000000000000', $2, $3, false, $1, $4, now(), now())`,
    [used.token, successor, used.user_id, used.session_id],
  );
}

/** Ends the whole chain: none of the session's tokens can be used any more. */
export async function revokeRefreshTokens(tx: Sql, sessionId: string): Promise<void> {
  await tx.query(
    'update auth.refresh_tokens set revoked = true, updated_at = now() where session_id = $1 and revoked is false',
    [sessionId],
  );
}

/** Takes away a token that belongs to no session. */
export async function deleteRefreshToken(tx: Sql, token: string): Promise<void> {
  await tx.query('delete from auth.refresh_tokens where token = $1', [token]);
}
