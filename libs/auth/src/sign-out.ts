import type { Project } from '#libs/platform';
import { insertAuditEntry } from './audit.sql.js';
import type { Client } from './client.js';
import type { CurrentSession } from './current-session.js';
import type { LogoutScope } from './requests.js';
import { deleteAllSessions, deleteOtherSessions, deleteSession } from './sessions/sessions.sql.js';

/**
 * Ends sessions: this one (`local`), the person's others (`others`), or all of them (`global`). Access tokens of
 * an ended session are good for data until they expire, but no longer here. Without a session, all are ended.
 */
export async function signOut(
  project: Project,
  { user, session }: CurrentSession,
  scope: LogoutScope,
  client: Client,
): Promise<void> {
  await project.database.asSystem(async (tx) => {
    await insertAuditEntry(tx, 'logout', user, client.ip);
    if (scope === 'global' || session === null) await deleteAllSessions(tx, user.id);
    else if (scope === 'local') await deleteSession(tx, session.id);
    else await deleteOtherSessions(tx, user.id, session.id);
  });
}
