import type { FastifyRequest } from 'fastify';
import { badJwt, noAuthorization, sessionNotFound, userBanned, userNotFound } from './errors.js';
import type { Session } from './sessions/session.js';
import { findSession } from './sessions/sessions.sql.js';
import { isBanned, type User } from './users/user.js';
import { findUser } from './users/users.sql.js';

/** The signed-in person of a request. `session` is null for tokens without `session_id`, made by other issuers. */
export interface CurrentSession {
  readonly user: User;
  readonly session: Session | null;
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Finds out who is signed in and whether their session still lives: a token outlasts its session.
 *
 * @throws AppError `no_authorization` (401), `bad_jwt`, `user_not_found`, `session_not_found`, `user_banned` (403).
 */
export async function currentSession(request: FastifyRequest): Promise<CurrentSession> {
  const { caller, project } = request.galley;
  if (request.headers.authorization === undefined) throw noAuthorization();
  if (caller.kind !== 'user' || caller.userId === null) throw badJwt('invalid claim: missing sub claim');
  if (!uuid.test(caller.userId)) throw badJwt('invalid claim: sub claim must be a UUID');
  const sessionId = caller.claims['session_id'];
  if (sessionId !== undefined && (typeof sessionId !== 'string' || !uuid.test(sessionId))) {
    throw badJwt('invalid claim: session_id claim must be a UUID');
  }
  const [user, session] = await Promise.all([
    findUser(project.database, caller.userId),
    sessionId === undefined ? null : findSession(project.database, sessionId),
  ]);
  if (!user) throw userNotFound();
  if (sessionId !== undefined && session?.user_id !== user.id) throw sessionNotFound();
  if (isBanned(user)) throw userBanned(403);
  return { user, session };
}
