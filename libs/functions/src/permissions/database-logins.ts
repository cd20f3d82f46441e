import { quoteIdent, quoteLiteral, type Project, type Sql } from '#libs/platform';
import { limits } from '../limits.js';
import { findDeclaredObjects } from './declared-objects.js';
import { loginPermissions, underOtherNames, unionOf } from './desired-permissions.js';
import { loginPassword, loginRole } from './function-role.js';
import type { Manifest } from '../manifest/manifest.js';
import { dropRole, syncPermissions } from './sync-permissions.js';

/** A function's role and those of its deployments that are to hold what they declare. */
interface Holders {
  readonly role: string;
  readonly slug: string;
  readonly manifests: readonly Manifest[];
  /** Whether it is the role of previews, beside which the function's own may stand. */
  readonly isPreview?: boolean;
  /** Also take away what none of them declares. */
  readonly withdraw: boolean;
}

/** Lets those of the deployments log in to PostgreSQL that declare `database_url`; where none does, nobody may any more. */
export async function syncLogin(tx: Sql, project: Project, holders: Holders): Promise<void> {
  const { role, slug, manifests, isPreview = false, withdraw } = holders;
  const login = loginRole(role);
  const declaring = manifests.filter(({ permissions }) => permissions.database_url);
  if (declaring.length === 0) {
    if (withdraw) await endLogin(tx, role);
    return;
  }
  const all = [];
  for (const manifest of declaring) {
    const own = loginPermissions(slug, manifest, await findDeclaredObjects(tx, manifest));
    all.push(isPreview ? underOtherNames(own, 'preview') : own);
  }
  await letIn(tx, project, login);
  await syncPermissions(tx, login, unionOf(all), withdraw);
}

/** Drops the login of a function's role, and ends its connections. */
export async function endLogin(tx: Sql, role: string): Promise<void> {
  const login = loginRole(role);
  await dropRole(tx, login);
  await tx.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [login]);
}

/** Of the transactions of functions, as of those of callers (0001_roles.sql); each may ask for more. */
const settings = { lock_timeout: '8s', idle_in_transaction_session_timeout: '60s' };

async function letIn(tx: Sql, project: Project, login: string): Promise<void> {
  const { rowCount } = await tx.query('select 1 from pg_roles where rolname = $1', [login]);
  const name = quoteIdent(login);
  const connections = `connection limit ${limits.databaseConnections}`;
  const password = `password ${quoteLiteral(loginPassword(project, login))}`;
  await tx.query(
    `${rowCount > 0 ? 'alter' : 'create'} role ${name} login noinherit ${connections} ${password}`,
  );
  if (rowCount > 0) return;
  for (const [setting, value] of Object.entries(settings))
    await tx.query(`alter role ${name} set ${setting} = ${quoteLiteral(value)}`);
}
