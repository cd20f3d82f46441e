import { syncRowTriggers } from '#libs/events';
import { AppError, quoteIdent, quoteLiteral, type Project, type Sql } from '#libs/platform';
import type { Manifest } from '../manifest/manifest.js';
import { subscribedTables } from '../manifest/subscriptions.js';
import { endLogin, syncLogin } from './database-logins.js';
import { refuseMissingQueues } from './declared-queues.js';
import { findDeclaredObjects, missingObjects } from './declared-objects.js';
import { desiredPermissions, underOtherNames, unionOf, type Permissions } from './desired-permissions.js';
import { functionRole, previewRole } from './function-role.js';
import { dropRole, syncPermissions } from './sync-permissions.js';

const lockTimeout = '10s';

/** A deployment and what it declares. */
export interface DeclaredDeployment {
  readonly deploymentId: string;
  readonly manifest: Manifest;
}

/**
 * Before an activation: gives the function's role what the new deployment needs, and takes nothing from those that
 * still answer.
 * @throws AppError `invalid_manifest` (400) when the manifest names what is not in the database; `database_busy` (503).
 */
export async function widenPermissions(project: Project, slug: string, manifest: Manifest): Promise<void> {
  const role = await functionRole(project, slug);
  await changeDatabase(project, async (tx) => {
    const permissions = await permissionsOf(tx, slug, manifest);
    await refuseMissingQueues(tx, slug, manifest);
    await syncPermissions(tx, role, permissions, false);
    await syncLogin(tx, project, { role, slug, manifests: [manifest], withdraw: false });
    await syncRowTriggers(tx, subscribedTables(manifest), false);
    // Should the activation not come about, whoever runs the function next takes back what was given here.
    await tx.query(`comment on role ${quoteIdent(role)} is null`);
  });
}

/**
 * After a change of what answers: leaves the role with exactly what the deployments declare that share the function's
 * calls, notes that on the role, and ends its previews' role.
 * @param watchedTables the tables of all row subscriptions of the project
 */
export async function settlePermissions(
  project: Project,
  slug: string,
  answering: readonly DeclaredDeployment[],
  watchedTables: readonly string[],
): Promise<void> {
  const role = await functionRole(project, slug);
  const preview = await previewRole(project, slug);
  await changeDatabase(project, async (tx) => {
    const all = [];
    for (const { manifest } of answering) {
      all.push(desiredPermissions(slug, manifest, await findDeclaredObjects(tx, manifest)));
    }
    await syncPermissions(tx, role, unionOf(all), true);
    const manifests = answering.map(({ manifest }) => manifest);
    await syncLogin(tx, project, { role, slug, manifests, withdraw: true });
    await syncRowTriggers(tx, watchedTables, true);
    await dropRole(tx, preview);
    await endLogin(tx, preview);
    await noteOn(tx, role, settledMark(answering.map(({ deploymentId }) => deploymentId)));
  });
}

/** Whether the role holds exactly what these deployments declare, as far as was noted. */
export async function isSettled(
  project: Project,
  slug: string,
  deploymentIds: readonly string[],
): Promise<boolean> {
  return (await noteOf(project.database, await functionRole(project, slug))) === settledMark(deploymentIds);
}

/**
 * Gives the role of the function's previews what one more deployment declares. It holds what all of them need that
 * were previewed since the last change of what answers, which ends the role.
 * @returns the role
 * @throws AppError `invalid_manifest` (400), `database_busy` (503), as {@link widenPermissions}
 */
export async function permitPreview(
  project: Project,
  slug: string,
  { deploymentId, manifest }: DeclaredDeployment,
): Promise<string> {
  const role = await previewRole(project, slug);
  if ((await noteOf(project.database, role))?.includes(deploymentId)) return role;
  await changeDatabase(project, async (tx) => {
    await tx.query(`select pg_advisory_xact_lock(hashtextextended($1, 0))`, [role]);
    const note = await noteOf(tx, role);
    const permissions = await permissionsOf(tx, slug, manifest);
    await syncPermissions(tx, role, underOtherNames(permissions, 'preview'), false);
    const previewed = { role, slug, manifests: [manifest], isPreview: true, withdraw: false };
    await syncLogin(tx, project, previewed);
    await noteOn(tx, role, `${note ?? 'Galley: previews of deployments'} ${deploymentId}`);
  });
  return role;
}

/** After a function was deleted. */
export async function removePermissions(
  project: Project,
  slug: string,
  watchedTables: readonly string[],
): Promise<void> {
  const roles = [await functionRole(project, slug), await previewRole(project, slug)];
  await changeDatabase(project, async (tx) => {
    for (const role of roles) {
      await dropRole(tx, role);
      await endLogin(tx, role);
    }
    await syncRowTriggers(tx, watchedTables, true);
  });
}

async function permissionsOf(tx: Sql, slug: string, manifest: Manifest): Promise<Permissions> {
  const declared = await findDeclaredObjects(tx, manifest);
  const missing = missingObjects(manifest, declared);
  if (missing.length === 0) return desiredPermissions(slug, manifest, declared);
  throw new AppError({
    code: 'invalid_manifest',
    status: 400,
    message: missing.join('; '),
    hint: 'Apply the migration that creates it first, then deploy.',
  });
}

function settledMark(deploymentIds: readonly string[]): string {
  return `Galley: permissions of deployment ${deploymentIds.toSorted().join(', ')}`;
}

async function noteOf(sql: Pick<Sql, 'query'>, role: string): Promise<string | null> {
  const { rows } = await sql.query<{ note: string | null }>(
    `select shobj_description(oid, 'pg_authid') as note from pg_roles where rolname = $1`,
    [role],
  );
  return rows[0]?.note ?? null;
}

async function noteOn(tx: Sql, role: string, note: string): Promise<void> {
  await tx.query(`comment on role ${quoteIdent(role)} is ${quoteLiteral(note)}`);
}

/** One transaction that names types in full and does not wait for ever behind somebody's long transaction. */
async function changeDatabase(project: Project, work: (tx: Sql) => Promise<void>): Promise<void> {
  try {
    await project.database.asSystem(async (tx) => {
      await tx.query('set local search_path = pg_catalog');
      await tx.query(`set local lock_timeout = ${quoteLiteral(lockTimeout)}`);
      await work(tx);
    });
  } catch (cause) {
    // 55P03 lock_not_available
    if ((cause as { code?: unknown }).code !== '55P03') throw cause;
    throw new AppError({
      code: 'database_busy',
      status: 503,
      message: `A table that the function declares stayed locked for ${lockTimeout}; nothing was changed`,
      cause,
      headers: { 'retry-after': '10' },
    });
  }
}
