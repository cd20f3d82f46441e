import { AppError, quoteIdent, quoteLiteral, type Project, type Sql } from '#libs/platform';
import type { Manifest } from '../manifest/manifest.js';
import { subscribedTables } from '../manifest/subscriptions.js';
import { findDeclaredObjects, missingObjects } from './declared-objects.js';
import { desiredPermissions } from './desired-permissions.js';
import { functionRole } from './function-role.js';
import { syncRowTriggers } from './row-triggers.js';
import { dropRole, syncPermissions } from './sync-permissions.js';

const lockTimeout = '10s';

/**
 * Before an activation: gives the function's role what the new deployment needs, and takes nothing from the one
 * that still answers.
 * @throws AppError `invalid_manifest` (400) when the manifest names what is not in the database; `database_busy` (503).
 */
export async function widenPermissions(project: Project, slug: string, manifest: Manifest): Promise<void> {
  const role = await functionRole(project, slug);
  await changeDatabase(project, async (tx) => {
    const declared = await findDeclaredObjects(tx, manifest);
    const missing = missingObjects(manifest, declared);
    if (missing.length > 0) {
      throw new AppError({
        code: 'invalid_manifest',
        status: 400,
        message: missing.join('; '),
        hint: 'Apply the migration that creates it first, then deploy.',
      });
    }
    await syncPermissions(tx, role, desiredPermissions(slug, manifest, declared), false);
    await syncRowTriggers(tx, subscribedTables(manifest), false);
    // Should the activation not come about, whoever runs the function next takes back what was given here.
    await tx.query(`comment on role ${quoteIdent(role)} is null`);
  });
}

/**
 * After an activation: leaves the role with exactly what the active deployment declares, and notes that on the role.
 * @param watchedTables the tables of all row subscriptions of the project
 */
export async function settlePermissions(
  project: Project,
  active: { slug: string; deploymentId: string; manifest: Manifest },
  watchedTables: readonly string[],
): Promise<void> {
  const role = await functionRole(project, active.slug);
  await changeDatabase(project, async (tx) => {
    const declared = await findDeclaredObjects(tx, active.manifest);
    await syncPermissions(tx, role, desiredPermissions(active.slug, active.manifest, declared), true);
    await syncRowTriggers(tx, watchedTables, true);
    await tx.query(
      `comment on role ${quoteIdent(role)} is ${quoteLiteral(settledMark(active.deploymentId))}`,
    );
  });
}

/** Whether the role holds exactly what this deployment declares, as far as was noted. */
export async function isSettled(project: Project, slug: string, deploymentId: string): Promise<boolean> {
  const { rows } = await project.database.query<{ mark: string | null }>(
    `select shobj_description(oid, 'pg_authid') as mark from pg_roles where rolname = $1`,
    [await functionRole(project, slug)],
  );
  return rows[0]?.mark === settledMark(deploymentId);
}

/** After a function was deleted. */
export async function removePermissions(
  project: Project,
  slug: string,
  watchedTables: readonly string[],
): Promise<void> {
  const role = await functionRole(project, slug);
  await changeDatabase(project, async (tx) => {
    await dropRole(tx, role);
    await syncRowTriggers(tx, watchedTables, true);
  });
}

function settledMark(deploymentId: string): string {
  return `Galley: permissions of deployment ${deploymentId}`;
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
