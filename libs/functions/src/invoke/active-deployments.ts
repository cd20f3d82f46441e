import { Inject, Injectable } from '@nestjs/common';
import { AppError, LOGGER, PlatformDatabase, type Logger, type Project } from '#libs/platform';
import { staticFileName } from '../bundle/static-files.js';
import { Activations } from '../deploy/activations.js';
import { provisionedFunctions, readDeploymentFiles, trafficParts } from '../deploy/deployments.sql.js';
import { limits } from '../limits.js';
import { parseManifest } from '../manifest/manifest.js';
import { isSlug } from '../manifest/slug.js';
import { mainFile } from '../runtime/function-runtime.js';
import { isSettled, permitPreview } from '../permissions/apply-manifest.js';
import { functionRole } from '../permissions/function-role.js';
import {
  knownDeployments,
  knownKey,
  type ActiveDeployment,
  type KnownDeployments,
} from './known-deployments.js';
import { pickDeployment } from './pick-deployment.js';

/** Which of a function's deployments is meant: by its number, or by their percentages for this event or a call. */
export interface Meant {
  readonly number?: number | undefined;
  readonly eventId?: string | undefined;
}

interface Version {
  readonly id: string;
  readonly percent: number;
  readonly secretsVersion: string;
}

/**
 * Finds the deployment that answers for a function. What a process knows it asks for again once it is
 * `limits.activeDeploymentAgeMs` old, with one indexed query; so all processes see an activation that soon, and
 * an idle function costs nothing.
 */
@Injectable()
export class ActiveDeployments {
  constructor(
    private readonly database: PlatformDatabase,
    private readonly activations: Activations,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** @throws AppError `NOT_FOUND` (404); of a preview also `invalid_manifest` (400) when it needs what is not there */
  async find(project: Project, slug: string, { number, eventId }: Meant = {}): Promise<ActiveDeployment> {
    const answering = await this.answering(project, slug);
    if (number === undefined) return pickDeployment(answering, eventId) ?? notFound();
    const one = answering.find((deployment) => deployment.number === number);
    return one ?? (await this.#known(project, slug, number))[0] ?? notFound();
  }

  /** Those that share the function's calls; none when there is no such function. */
  async answering(project: Project, slug: string): Promise<readonly ActiveDeployment[]> {
    return this.#known(project, slug, undefined);
  }

  /** Calls `listener` each time that this process changed what answers. */
  onChange(listener: () => void): void {
    this.activations.onChange(listener);
  }

  /** The functions of all projects that want instances to be kept ready. */
  provisioned(): Promise<{ projectRef: string; slug: string }[]> {
    return provisionedFunctions(this.database);
  }

  /** What lies in the folder of its instances, by path: the bundled module as `main.js`, and its static files. */
  async files(deploymentId: string): Promise<ReadonlyMap<string, Uint8Array>> {
    const { entrypoint, code, staticFiles } =
      (await readDeploymentFiles(this.database, deploymentId)) ?? notFound();
    const files = new Map<string, Uint8Array>([[mainFile, code]]);
    for (const [path, base64] of Object.entries(staticFiles)) {
      files.set(staticFileName(path, entrypoint), Buffer.from(base64, 'base64'));
    }
    return files;
  }

  async #known(
    project: Project,
    slug: string,
    number: number | undefined,
  ): Promise<readonly ActiveDeployment[]> {
    if (!isSlug(slug)) return [];
    const known = knownDeployments(project);
    const key = knownKey(slug, number);
    let entry = known.get(key);
    if (!entry || Date.now() - entry.askedAt >= limits.activeDeploymentAgeMs) {
      entry = { deployments: this.#askAgain(project, slug, number, entry), askedAt: Date.now() };
      known.set(key, entry);
    }
    const forget = () => known.get(key) === entry && known.delete(key);
    try {
      const deployments = await entry.deployments;
      if (deployments.length === 0) forget();
      return deployments;
    } catch (error) {
      forget();
      throw error;
    }
  }

  async #askAgain(
    project: Project,
    slug: string,
    number: number | undefined,
    entry: KnownDeployments | undefined,
  ): Promise<readonly ActiveDeployment[]> {
    const known = (await entry?.deployments.catch(() => undefined)) ?? [];
    const current =
      number === undefined
        ? await this.#answeringVersions(project, slug)
        : await this.#previewVersion(project, slug, number);
    const isNew = current.length !== known.length || current.some(({ id }, i) => known[i]!.id !== id);
    if (isNew && number === undefined && current.length > 0)
      await this.#finishActivation(project, slug, current);
    return Promise.all(
      current.map(async (version) => {
        const before = known.find(({ id }) => id === version.id);
        const deployment = before ? { ...before, ...version } : await this.#load(project, slug, version);
        if (number === undefined) return deployment;
        // The role goes with the next activation, and with it what was permitted.
        const role = await permitPreview(project, slug, { ...deployment, deploymentId: deployment.id });
        return { ...deployment, role };
      }),
    );
  }

  async #answeringVersions(project: Project, slug: string): Promise<Version[]> {
    const { rows } = await this.database.query<Version>(
      `select d.id, part.percent, ${secretsVersion} as "secretsVersion"
       from functions f ${trafficParts} join deployments d on d.id = part.deployment_id
       where f.project_ref = $1 and f.slug = $2 order by part.position`,
      [project.ref, slug],
    );
    return rows;
  }

  async #previewVersion(project: Project, slug: string, number: number): Promise<Version[]> {
    const { rows } = await this.database.query<Version>(
      `select d.id, 100 as percent, ${secretsVersion} as "secretsVersion" from deployments d
       where d.project_ref = $1 and d.function_slug = $2 and d.number = $3`,
      [project.ref, slug, number],
    );
    return rows;
  }

  async #load(project: Project, slug: string, version: Version): Promise<ActiveDeployment> {
    const {
      rows: [deployment],
    } = await this.database.query<{ number: number; manifest: unknown }>(
      'select number, manifest from deployments where id = $1',
      [version.id],
    );
    if (!deployment) return notFound();
    const manifest = parseManifest(slug, deployment.manifest);
    const role = await functionRole(project, slug);
    return { ...version, slug, number: deployment.number, manifest, role };
  }

  /** An activation whose process died before its last step is completed here, before the deployments first run. */
  async #finishActivation(project: Project, slug: string, current: readonly Version[]): Promise<void> {
    if (
      await isSettled(
        project,
        slug,
        current.map(({ id }) => id),
      )
    )
      return;
    try {
      await this.activations.settle(project, slug);
    } catch (error) {
      this.logger.warn(
        { err: error, function: slug },
        'The permissions of a function could not be brought up to date',
      );
    }
  }
}

/** Of deployment `d`: a digest of the values of the secrets that it declares. */
const secretsVersion = `coalesce((
  select encode(sha256(string_agg(s.sealed_value, null order by s.name)), 'hex') from secrets s
  where s.project_ref = d.project_ref and (d.manifest #> '{permissions,secrets}' ? s.name
    or d.manifest #> '{permissions,egress_secrets}' ? s.name)), '')`;

function notFound(): never {
  throw new AppError({ code: 'NOT_FOUND', status: 404, message: 'Requested function was not found' });
}
