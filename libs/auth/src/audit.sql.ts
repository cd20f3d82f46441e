import { randomUUID } from 'node:crypto';
import type { Sql } from '#libs/platform';
import type { User } from './users/user.js';

/**
 * What the audit trail tells, by GoTrue's names, each with its kind. Refreshes are left out: one an hour from
 * every open app would bury the rest.
 */
const logTypes = {
  user_signedup: 'team',
  login: 'account',
  logout: 'account',
  user_modified: 'user',
  user_updated_password: 'user',
} as const;

export async function insertAuditEntry(
  tx: Sql,
  action: keyof typeof logTypes,
  actor: Pick<User, 'id' | 'email' | 'is_sso_user'>,
  ip: string | null,
): Promise<void> {
  const payload = {
    action,
    actor_id: actor.id,
    actor_username: actor.email ?? '',
    actor_via_sso: actor.is_sso_user,
    log_type: logTypes[action],
    ...(action === 'login' || action === 'user_signedup' ? { traits: { provider: 'email' } } : {}),
  };
  await tx.query(
    `insert into auth.audit_log_entries (instance_id, id, payload, created_at, ip_address)
     values ('00000000-0000-0000-0000-000000000000', $1, $2, now(), $3)`,
    [randomUUID(), JSON.stringify(payload), ip ?? ''],
  );
}
