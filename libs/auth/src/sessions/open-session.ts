import { randomBytes, randomUUID } from 'node:crypto';
import type { Sql } from '#libs/platform';
import { insertAuditEntry } from '../audit.sql.js';
import type { Client } from '../client.js';
import type { User } from '../users/user.js';
import type { OpenSession } from './session-response.js';
import { insertSession } from './sessions.sql.js';

/** 128 random bits; opaque to clients. */
export function newRefreshToken(): string {
  return randomBytes(16).toString('base64url');
}

/** Opens a session for a user who has just proved to know their password. */
export async function openSession(tx: Sql, user: User, client: Client): Promise<OpenSession> {
  const id = randomUUID();
  const refreshToken = newRefreshToken();
  const signedInAt = await insertSession(tx, {
    id,
    userId: user.id,
    refreshToken,
    method: 'password',
    client,
  });
  await insertAuditEntry(tx, 'login', user, client.ip);
  return {
    user: { ...user, last_sign_in_at: signedInAt, updated_at: signedInAt },
    session: {
      id,
      user_id: user.id,
      aal: 'aal1',
      not_after: null,
      amr: [{ method: 'password', timestamp: Math.floor(signedInAt.getTime() / 1000) }],
    },
    refreshToken,
  };
}
