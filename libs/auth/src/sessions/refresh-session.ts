import type { AppError, Project, Sql } from '#libs/platform';
import type { Client } from '../client.js';
import {
  refreshOfBannedUser,
  refreshTokenAlreadyUsed,
  refreshTokenNotFound,
  refreshWithoutSession,
  sessionExpired,
} from '../errors.js';
import { isBanned } from '../users/user.js';
import { findUser } from '../users/users.sql.js';
import { newRefreshToken } from './open-session.js';
import {
  deleteRefreshToken,
  findActiveRefreshToken,
  findRefreshToken,
  revokeRefreshTokens,
  rotateRefreshToken,
  type RefreshToken,
} from './refresh-tokens.sql.js';
import { isExpired, type Session } from './session.js';
import type { OpenSession } from './session-response.js';
import { lockSession, noteRefresh } from './sessions.sql.js';

/*
 * Rotation with reuse detection (RFC 9700 §4.14.2), by GoTrue's rules.
 *
 * A refresh token is good once; using it appends a child to the session's chain. A token that comes again means
 * either that its answer was lost or that two tabs refreshed at once, or that somebody stole it:
 *
 *   used, and the active token is its child        → the client never stored the child; it gets it again
 *   used less than `refreshReuseSeconds` ago       → refreshes at once; all get the active token
 *   used otherwise                                 → theft; the whole chain ends, and the error says so
 *
 * Every refresh of a session holds the lock on the session's row from before it reads the token until commit, so
 * of two at once the second sees what the first has done. Sign-out deletes that row and waits for the same lock.
 */

/** A refusal is returned, not thrown: what it changed (the chain that ended) must be committed. */
type Outcome = OpenSession | { readonly refused: AppError };

/**
 * Gives the session of `refreshToken` its next refresh token.
 *
 * @throws AppError `refresh_token_not_found`, `refresh_token_already_used`, `session_not_found`,
 *   `session_expired`, `user_banned` (all 400).
 */
export async function refreshSession(
  project: Project,
  refreshToken: string,
  client: Client,
): Promise<OpenSession> {
  const outcome = await project.database.asSystem((tx) => refresh(tx, refreshToken, client));
  if ('refused' in outcome) throw outcome.refused;
  return outcome;
}

async function refresh(tx: Sql, refreshToken: string, client: Client): Promise<Outcome> {
  const seen = await findRefreshToken(tx, refreshToken);
  if (!seen) return { refused: refreshTokenNotFound() };
  if (seen.session_id === null) {
    await deleteRefreshToken(tx, refreshToken);
    return { refused: refreshWithoutSession() };
  }
  const session = await lockSession(tx, seen.session_id);
  // The wait for the lock may have been long: read the token anew.
  const token = await findRefreshToken(tx, refreshToken);
  if (!session || !token) return { refused: refreshWithoutSession() };

  const user = await findUser(tx, session.user_id);
  if (!user) return { refused: refreshWithoutSession() };
  if (isBanned(user)) return { refused: refreshOfBannedUser() };
  if (isExpired(session)) return { refused: sessionExpired() };

  const next = await nextToken(tx, session, token);
  if (next === null) {
    await revokeRefreshTokens(tx, session.id);
    return { refused: refreshTokenAlreadyUsed() };
  }
  await noteRefresh(tx, session.id, client);
  return { user, session, refreshToken: next };
}

/** The token to answer with, or null when `token` must not be used again. */
async function nextToken(tx: Sql, session: Session, token: RefreshToken): Promise<string | null> {
  if (!token.revoked) {
    const successor = newRefreshToken();
    await rotateRefreshToken(tx, token, successor);
    return successor;
  }
  const active = await findActiveRefreshToken(tx, session.id);
  if (!active) return null;
  return active.parent === token.token || token.reusable ? active.token : null;
}
