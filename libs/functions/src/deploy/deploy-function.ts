import { Inject, Injectable } from '@nestjs/common';
import {
  AppError,
  CONFIG,
  LOGGER,
  newId,
  PlatformDatabase,
  type Config,
  type Logger,
  type Project,
  type Sql,
} from '#libs/platform';
import { createHash } from 'node:crypto';
import { Builds, type Build, type BuildObserver } from './builds.js';
import { bundleFunction } from '../bundle/bundle-function.js';
import { deleteOldBuilds } from './builds.sql.js';
import { forgetDeployment } from '../invoke/known-deployments.js';
import { parseManifest, type Manifest } from '../manifest/manifest.js';
import { checkSlug } from '../manifest/slug.js';
import { subscriptionsOf } from '../manifest/subscriptions.js';
import { removePermissions, settlePermissions, widenPermissions } from '../permissions/apply-manifest.js';
import {
  deleteActivation,
  deleteDeployments,
  findDeployment,
  insertDeployment,
  listFunctions,
  lockActivations,
  readDeployment,
  replaceSubscriptions,
  setActiveDeployment,
  watchedTables,
  type DeploymentSummary,
  type FunctionSummary,
  type NewDeployment,
  type Source,
} from './deployments.sql.js';

/** What a function is deployed from. */
export interface DeployRequest {
  readonly slug: string;
  /** Source files by path, relative and with `/`. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Path of the module that serves. */
  readonly entrypoint: string;
  /** Path of the import map or `deno.json` among `files`. */
  readonly importMap?: string | undefined;
  readonly manifest: Manifest;
  /** The name that people see, where it is not the slug. */
  readonly name?: string | undefined;
  /** False: record the deployment, and leave the active one as it is. */
  readonly activate?: boolean | undefined;
}

/** A recorded deployment, by its function. */
export interface DeploymentName {
  readonly slug: string;
  readonly number: number;
}

/** What a deployment is made of. */
type Content = Omit<NewDeployment, 'id' | 'sha256'> & { readonly manifest: Manifest };

interface Recorded {
  readonly deployment: DeploymentSummary;
  readonly created: boolean;
  readonly isActive: boolean;
  /** What the build's log says of it. */
  readonly told: string;
}

export interface Deployed {
  readonly deployment: DeploymentSummary;
  /** The function as it is now; undefined when it is not in service. */
  readonly function: FunctionSummary | undefined;
  /** False: what was active already is the same. */
  readonly created: boolean;
  readonly buildId: string;
}

/**
 * Deploys, activates and deletes functions.
 *
 * widen permissions → commit the platform's rows → settle permissions. Before the commit the old deployment is
 * untouched, save that the function's role may hold more than it needs; after it the new one answers. A settling
 * that was cut short is done by the first process that runs the deployment.
 */
@Injectable()
export class DeployFunction {
  constructor(
    private readonly database: PlatformDatabase,
    private readonly builds: Builds,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Bundles, records and activates, and tells `observer` about it. What is identical to the active deployment makes no
   * new one.
   * @throws AppError `invalid_slug`, `invalid_manifest`, `BUNDLE_ERROR` (400), and what {@link bundleFunction} throws
   */
  deploy(project: Project, request: DeployRequest, observer: BuildObserver = {}): Promise<Deployed> {
    checkSlug(request.slug);
    return this.builds.run(project.ref, request.slug, observer, (build) =>
      this.#deploy(project, request, build),
    );
  }

  async #deploy(project: Project, request: DeployRequest, build: Build): Promise<Deployed> {
    const { slug, manifest } = request;
    const { code, durationMs } = await bundleFunction({
      ...request,
      check: manifest.check,
      dataDir: this.config.dataDir,
      log: (line) => {
        this.logger.debug({ function: slug, build: build.id }, line);
        build.log(line);
      },
    });
    build.log(`Bundled ${code.byteLength} bytes in ${Math.round(durationMs)} ms`);
    const content = { slug, manifest, name: request.name ?? null, source: sourceOf(request), code };
    const activates = request.activate ?? true;
    const recorded = await this.#record(project, slug, activates, async () => content, build);
    build.log(recorded.told);
    const found = recorded.isActive ? await this.settle(project, slug) : await this.#find(project, slug);
    return { ...recorded, function: found, buildId: build.id };
  }

  /**
   * Changes what is no code: makes a new deployment of the active one's code. Deployments do not change, so that the
   * way back leads to what really was.
   * @throws AppError `not_found` (404), `invalid_manifest` (400)
   */
  async change(
    project: Project,
    slug: string,
    changes: { name?: string | undefined; verifyJwt?: boolean | undefined },
  ): Promise<FunctionSummary> {
    await this.#record(project, checkSlug(slug), true, async (tx, active) => {
      if (!active) throw notFound(`There is no function ${slug}`);
      const manifest = parseManifest(slug, {
        ...(active.manifest as object),
        ...(changes.verifyJwt !== undefined && { verify_jwt: changes.verifyJwt }),
      });
      const name = changes.name ?? active.name;
      const { source, code } = (await readDeployment(tx, active.id))!;
      return { slug, manifest, name: name === slug ? null : name, source, code };
    });
    return this.settle(project, slug);
  }

  /** @param contentOf is told the active deployment, which no other can replace meanwhile */
  async #record(
    project: Project,
    slug: string,
    activates: boolean,
    contentOf: (tx: Sql, active: DeploymentSummary | undefined) => Promise<Content>,
    build?: Build,
  ): Promise<Recorded> {
    return this.database.transaction(async (tx) => {
      await lockActivations(tx, project.ref);
      const [current] = await listFunctions(tx, project.ref, slug);
      const content = await contentOf(tx, current?.active);
      const sha256 = contentHash(content);
      if (current?.active.sha256 === sha256) {
        const { active } = current;
        await build?.succeed(tx, active.number);
        const told = `Deployment ${active.number}, which is active, is the same`;
        return { deployment: active, created: false, isActive: true, told };
      }
      await refuseMissingSecrets(tx, project.ref, content.manifest);
      const id = newId();
      const number = await insertDeployment(tx, project.ref, { ...content, id, sha256 });
      await build?.succeed(tx, number);
      const deployment = (await findDeployment(tx, project.ref, slug, number))!;
      if (activates) await activate(tx, project, slug, { id, manifest: content.manifest });
      const told = `Deployment ${number} is ${activates ? 'active' : 'recorded, and not active yet'}`;
      return { deployment, created: true, isActive: activates, told };
    });
  }

  async #find(project: Project, slug: string): Promise<FunctionSummary | undefined> {
    return (await listFunctions(this.database, project.ref, slug))[0];
  }

  /**
   * Makes a recorded deployment the active one: the way back, and forward again.
   * @throws AppError `not_found` (404); `invalid_manifest` (400) when it needs what is no longer there.
   */
  async activate(project: Project, slug: string, number: number): Promise<FunctionSummary> {
    return (await this.activateAll(project, [{ slug, number }]))[0]!;
  }

  /**
   * Makes recorded deployments of several functions the active ones: all of them, or none.
   * @throws AppError as {@link activate}
   */
  async activateAll(project: Project, deployments: readonly DeploymentName[]): Promise<FunctionSummary[]> {
    await this.database.transaction(async (tx) => {
      await lockActivations(tx, project.ref);
      for (const { slug, number } of deployments) {
        const deployment = await findDeployment(tx, project.ref, slug, number);
        if (!deployment) throw notFound(`Function ${slug} has no deployment ${number}`);
        const manifest = parseManifest(slug, deployment.manifest);
        await refuseMissingSecrets(tx, project.ref, manifest);
        await activate(tx, project, slug, { id: deployment.id, manifest });
      }
    });
    const settled: FunctionSummary[] = [];
    for (const { slug } of deployments) settled.push(await this.settle(project, slug));
    return settled;
  }

  /** The project's functions by name. */
  list(project: Project): Promise<FunctionSummary[]> {
    return listFunctions(this.database, project.ref);
  }

  /**
   * Takes a function out of service: calls find no such function, and no event wakes it. Its deployments stay, so
   * that deploying or activating one brings it back; a state of its own is not needed for that.
   * @returns false when it was not in service
   */
  deactivate(project: Project, slug: string): Promise<boolean> {
    return this.#withdraw(project, slug, (tx) => deleteActivation(tx, project.ref, slug));
  }

  /**
   * Deletes a function with its deployments and builds.
   * @throws AppError `not_found` (404)
   */
  async remove(project: Project, slug: string): Promise<void> {
    const removed = await this.#withdraw(project, slug, async (tx) => {
      const active = await deleteActivation(tx, project.ref, slug);
      await deleteOldBuilds(tx, project.ref, slug, 0);
      return (await deleteDeployments(tx, project.ref, slug)) || active;
    });
    if (!removed) throw notFound(`There is no function ${slug}`);
  }

  /**
   * Leaves the function's role with exactly what its active deployment declares. Repeating it mends what was changed
   * by hand, or lost when a table was made anew.
   * @throws AppError `not_found` (404)
   */
  async settle(project: Project, slug: string): Promise<FunctionSummary> {
    return this.database.transaction(async (tx) => {
      await lockActivations(tx, project.ref);
      const [found] = await listFunctions(tx, project.ref, slug);
      if (!found) throw notFound(`There is no function ${slug}`);
      const manifest = parseManifest(slug, found.active.manifest);
      const active = { slug, deploymentId: found.active.id, manifest };
      await settlePermissions(project, active, await watchedTables(tx, project.ref));
      forgetDeployment(project, slug);
      return found;
    });
  }

  /** @param work what ends the function's service; false means that there was none, and then nothing else is done */
  async #withdraw(project: Project, slug: string, work: (tx: Sql) => Promise<boolean>): Promise<boolean> {
    const done = await this.database.transaction(async (tx) => {
      await lockActivations(tx, project.ref);
      return work(tx);
    });
    if (!done) return false;
    forgetDeployment(project, slug);
    await this.database.transaction(async (tx) => {
      await lockActivations(tx, project.ref);
      const [again] = await listFunctions(tx, project.ref, slug);
      if (!again) await removePermissions(project, slug, await watchedTables(tx, project.ref));
    });
    return true;
  }
}

function sourceOf({ entrypoint, importMap, files }: DeployRequest): Source {
  return {
    entrypoint,
    importMap: importMap ?? null,
    files: Object.fromEntries(
      [...files].map(([path, bytes]) => [path, Buffer.from(bytes).toString('base64')]),
    ),
  };
}

/** By which a deployment is the same as another. */
function contentHash({ code, manifest, name }: Content): string {
  const hash = createHash('sha256').update(code).update(JSON.stringify(manifest));
  return (name === null ? hash : hash.update(JSON.stringify({ name }))).digest('hex');
}

async function activate(
  tx: Sql,
  project: Project,
  slug: string,
  { id, manifest }: { id: string; manifest: Manifest },
): Promise<void> {
  await replaceSubscriptions(tx, project.ref, slug, subscriptionsOf(project.ref, slug, manifest));
  await setActiveDeployment(tx, project.ref, slug, id);
  // Last, so that nothing refuses the activation after it; the project's database is another one than `tx` is in.
  await widenPermissions(project, slug, manifest);
}

async function refuseMissingSecrets(tx: Sql, projectRef: string, manifest: Manifest): Promise<void> {
  const { secrets } = manifest.permissions;
  const { rows } = await tx.query<{ name: string }>(
    `select name from unnest($2::text[]) as declared (name)
     where not exists (select from secrets s where s.project_ref = $1 and s.name = declared.name)`,
    [projectRef, secrets],
  );
  if (rows.length === 0) return;
  throw new AppError({
    code: 'invalid_manifest',
    status: 400,
    message:
      rows.map(({ name }) => `permissions.secrets: the secret ${name} is not set`).join('; ') +
      `; set it by \`galley secrets set\` or POST /v1/projects/${projectRef}/secrets, then deploy again`,
  });
}

function notFound(message: string): AppError {
  return new AppError({ code: 'not_found', status: 404, message });
}
