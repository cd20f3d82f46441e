import { AppError, type Caller, type Sql } from '#libs/platform';
import type { DeploymentName } from '../deploy/activations.js';
import { findDeployment } from '../deploy/deployments.sql.js';
import { parseManifest, type Manifest } from '../manifest/manifest.js';

/**
 * A function that declares `service_role` is given the project's secret key. A personal access token reads the data of no
 * project, so its holder must not come by that key through a function.
 * @throws AppError `service_role_required` (403)
 */
export function checkServiceRole(caller: Caller, slug: string, { permissions }: Manifest): void {
  if (caller.kind === 'service' || !permissions.service_role) return;
  throw new AppError({
    code: 'service_role_required',
    status: 403,
    message: `${slug} declares permissions.service_role: to deploy, change or activate it needs the project's secret key`,
    hint: 'Send the secret key (sb_secret_…) in place of the personal access token.',
  });
}

/** The same of recorded deployments; whether one is missing is told by what activates them. */
export async function checkServiceRoleOf(
  sql: Sql,
  projectRef: string,
  caller: Caller,
  names: readonly DeploymentName[],
): Promise<void> {
  if (caller.kind === 'service') return;
  for (const { slug, number } of names) {
    const found = await findDeployment(sql, projectRef, slug, number);
    if (found) checkServiceRole(caller, slug, parseManifest(slug, found.manifest));
  }
}
