import { Inject, Injectable } from '@nestjs/common';
import { AppError, LOGGER, PlatformDatabase, type Logger, type Project } from '#libs/platform';
import { DeployFunction } from '../deploy/deploy-function.js';
import { limits } from '../limits.js';
import { parseManifest } from '../manifest/manifest.js';
import { isSlug } from '../manifest/slug.js';
import { isSettled } from '../permissions/apply-manifest.js';
import { functionRole } from '../permissions/function-role.js';
import { knownDeployments, type ActiveDeployment, type KnownDeployment } from './known-deployments.js';

/**
 * Finds the deployment that answers for a function. What a process knows it asks for again once it is
 * `limits.activeDeploymentAgeMs` old, with one indexed query; so all processes see an activation that soon, and
 * an idle function costs nothing.
 */
@Injectable()
export class ActiveDeployments {
  constructor(
    private readonly database: PlatformDatabase,
    private readonly deployFunction: DeployFunction,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** @throws AppError `NOT_FOUND` (404) */
  async find(project: Project, slug: string): Promise<ActiveDeployment> {
    if (!isSlug(slug)) throw notFound();
    const known = knownDeployments(project);
    let entry = known.get(slug);
    if (!entry || Date.now() - entry.askedAt >= limits.activeDeploymentAgeMs) {
      entry = { deployment: this.#askAgain(project, slug, entry), askedAt: Date.now() };
      known.set(slug, entry);
    }
    const deployment = await entry.deployment.catch((error: unknown) => {
      if (known.get(slug) === entry) known.delete(slug);
      throw error;
    });
    if (deployment) return deployment;
    if (known.get(slug) === entry) known.delete(slug);
    throw notFound();
  }

  /** The bundled module. */
  async code(deploymentId: string): Promise<Uint8Array> {
    const {
      rows: [row],
    } = await this.database.query<{ code: Buffer }>('select code from deployments where id = $1', [
      deploymentId,
    ]);
    if (row) return row.code;
    throw notFound();
  }

  async #askAgain(
    project: Project,
    slug: string,
    entry: KnownDeployment | undefined,
  ): Promise<ActiveDeployment | undefined> {
    const known = await entry?.deployment.catch(() => undefined);
    const current = await this.#versions(project, slug);
    if (!current || known?.id !== current.id) return current && this.#load(project, slug, current);
    return known.secretsVersion === current.secretsVersion ? known : { ...known, ...current };
  }

  async #versions(
    project: Project,
    slug: string,
  ): Promise<{ id: string; secretsVersion: string } | undefined> {
    const {
      rows: [row],
    } = await this.database.query<{ id: string; secretsVersion: string }>(
      `select f.active_deployment_id as id, coalesce((
         select encode(sha256(string_agg(s.sealed_value, null order by s.name)), 'hex')
         from secrets s join deployments d on d.id = f.active_deployment_id
         where s.project_ref = f.project_ref and d.manifest #> '{permissions,secrets}' ? s.name), '')
         as "secretsVersion"
       from functions f where f.project_ref = $1 and f.slug = $2`,
      [project.ref, slug],
    );
    return row;
  }

  async #load(
    project: Project,
    slug: string,
    versions: { id: string; secretsVersion: string },
  ): Promise<ActiveDeployment | undefined> {
    const {
      rows: [deployment],
    } = await this.database.query<{ number: number; manifest: unknown }>(
      'select number, manifest from deployments where id = $1',
      [versions.id],
    );
    if (!deployment) return undefined;
    await this.#finishActivation(project, slug, versions.id);
    const manifest = parseManifest(slug, deployment.manifest);
    const role = await functionRole(project, slug);
    return { ...versions, slug, number: deployment.number, manifest, role };
  }

  /** An activation whose process died before its last step is completed here, before the deployment first runs. */
  async #finishActivation(project: Project, slug: string, deploymentId: string): Promise<void> {
    if (await isSettled(project, slug, deploymentId)) return;
    try {
      await this.deployFunction.settle(project, slug);
    } catch (error) {
      this.logger.warn(
        { err: error, function: slug },
        'The permissions of a function could not be brought up to date',
      );
    }
  }
}

function notFound(): AppError {
  return new AppError({ code: 'NOT_FOUND', status: 404, message: 'Requested function was not found' });
}
