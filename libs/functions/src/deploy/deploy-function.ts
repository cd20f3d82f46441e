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
import { bundleFunction } from '../bundle/bundle-function.js';
import { forgetDeployment } from '../invoke/known-deployments.js';
import { HostSupport } from '../manifest/host-support.js';
import { parseManifest, type Manifest } from '../manifest/manifest.js';
import { checkSlug } from '../manifest/slug.js';
import { subscriptionsOf } from '../manifest/subscriptions.js';
import { removePermissions, settlePermissions, widenPermissions } from '../permissions/apply-manifest.js';
import {
  answeringDeployments,
  deleteActivation,
  deleteDeployments,
  findDeployment,
  insertDeployment,
  listFunctions,
  lockActivations,
  provisionedElsewhere,
  replaceSubscriptions,
  setAnswering,
  watchedTables,
  type DeploymentSummary,
  type FunctionSummary,
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
  /** False: it is recorded, and can be previewed, but what answers stays. */
  readonly activate?: boolean;
}

export interface Deployed {
  readonly deployment: DeploymentSummary;
  /** The function with what answers for it; null when nothing does yet. */
  readonly function: FunctionSummary | null;
  /** False: what was active already is the same. */
  readonly created: boolean;
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
  readonly #listeners: (() => void)[] = [];

  constructor(
    private readonly database: PlatformDatabase,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly host: HostSupport,
  ) {}

  /**
   * Bundles, records and activates, which ends a split of traffic. What is identical to the active deployment makes no
   * new one.
   * @throws AppError `invalid_slug`, `invalid_manifest`, `BUNDLE_ERROR` (400)
   */
  async deploy(project: Project, request: DeployRequest): Promise<Deployed> {
    const { slug, manifest, files, entrypoint, importMap } = request;
    checkSlug(slug);
    await this.#checkHost(this.database, project, slug, [manifest]);
    const { code, sourceMap } = await bundleFunction({
      ...request,
      check: manifest.check,
      dataDir: this.config.dataDir,
      log: (line) => this.logger.debug({ function: slug }, line),
    });
    // The map too: what only moves lines makes a new deployment, by whose lines stacks are told.
    const sha256 = createHash('sha256')
      .update(code)
      .update(sourceMap ?? '')
      .update(JSON.stringify(manifest))
      .digest('hex');
    const source = {
      entrypoint,
      importMap: importMap ?? null,
      files: Object.fromEntries(
        [...files].map(([path, bytes]) => [path, Buffer.from(bytes).toString('base64')]),
      ),
    };
    const { number, created } = await this.database.transaction(async (tx) => {
      await lockActivations(tx, project.ref);
      const [current] = await listFunctions(tx, project.ref, slug);
      if (current?.active.sha256 === sha256) return { number: current.active.number, created: false };
      await refuseMissingSecrets(tx, project.ref, manifest);
      const id = newId();
      const next = await insertDeployment(tx, project.ref, {
        id,
        slug,
        manifest,
        source,
        code,
        sourceMap,
        sha256,
      });
      if (request.activate !== false) await activate(tx, project, slug, { id, manifest });
      return { number: next, created: true };
    });
    const [found] = request.activate === false ? [] : [await this.settle(project, slug)];
    const [inService] = found ? [found] : await listFunctions(this.database, project.ref, slug);
    const deployment = (await findDeployment(this.database, project.ref, slug, number))!;
    return { function: inService ?? null, deployment, created };
  }

  /**
   * Makes a recorded deployment the active one, and lets it alone answer: the way back, and forward again.
   * @throws AppError `not_found` (404); `invalid_manifest` (400) when it needs what is no longer there.
   */
  async activate(project: Project, slug: string, number: number): Promise<FunctionSummary> {
    await this.database.transaction(async (tx) => {
      await lockActivations(tx, project.ref);
      const deployment = await this.#usable(tx, project, slug, number);
      await this.#checkHost(tx, project, slug, [deployment.manifest]);
      await activate(tx, project, slug, deployment);
    });
    return this.settle(project, slug);
  }

  /**
   * Shares a function's calls and events out among several of its deployments. The active one stays active if it is
   * among them, else that of the largest part becomes it: its subscriptions are the function's.
   * @param shares percentages that make 100 together
   * @throws AppError `not_found` (404); `invalid_manifest` (400) when one needs what is no longer there.
   */
  async split(
    project: Project,
    slug: string,
    shares: readonly { number: number; percent: number }[],
  ): Promise<FunctionSummary> {
    const [only, ...more] = shares;
    if (only && more.length === 0) return this.activate(project, slug, only.number);
    await this.database.transaction(async (tx) => {
      await lockActivations(tx, project.ref);
      const [current] = await listFunctions(tx, project.ref, slug);
      const parts = [];
      for (const { number, percent } of shares) {
        parts.push({ ...(await this.#usable(tx, project, slug, number)), number, percent });
      }
      await this.#checkHost(
        tx,
        project,
        slug,
        parts.map(({ manifest }) => manifest),
      );
      const largest = parts.toSorted((a, b) => b.percent - a.percent)[0]!;
      const active = parts.find(({ id }) => id === current?.active.id) ?? largest;
      await replaceSubscriptions(tx, project.ref, slug, subscriptionsOf(project.ref, slug, active.manifest));
      await setAnswering(tx, project.ref, slug, {
        activeId: active.id,
        traffic: parts.map(({ id, number, percent }) => ({ deployment_id: id, number, percent })),
        provisioned: parts.some(({ manifest }) => manifest.min_instances > 0),
      });
      for (const { manifest } of parts) await widenPermissions(project, slug, manifest);
    });
    return this.settle(project, slug);
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
   * Deletes a function with its deployments.
   * @throws AppError `not_found` (404)
   */
  async remove(project: Project, slug: string): Promise<void> {
    const removed = await this.#withdraw(project, slug, async (tx) => {
      const active = await deleteActivation(tx, project.ref, slug);
      return (await deleteDeployments(tx, project.ref, slug)) || active;
    });
    if (!removed) throw notFound(`There is no function ${slug}`);
  }

  /**
   * Leaves the function's role with exactly what the deployments declare that answer for it. Repeating it mends what was changed
   * by hand, or lost when a table was made anew.
   * @throws AppError `not_found` (404)
   */
  async settle(project: Project, slug: string): Promise<FunctionSummary> {
    const settled = await this.database.transaction(async (tx) => {
      await lockActivations(tx, project.ref);
      const [found] = await listFunctions(tx, project.ref, slug);
      if (!found) throw notFound(`There is no function ${slug}`);
      const answering = (await answeringDeployments(tx, project.ref, slug)).map(({ id, manifest }) => ({
        deploymentId: id,
        manifest: parseManifest(slug, manifest),
      }));
      await settlePermissions(project, slug, answering, await watchedTables(tx, project.ref));
      return found;
    });
    this.#tellChange(project, slug);
    return settled;
  }

  /** Calls `listener` each time that this process changed what answers. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  #tellChange(project: Project, slug: string): void {
    forgetDeployment(project, slug);
    for (const listener of this.#listeners) listener();
  }

  /** A recorded deployment whose secrets are there. */
  async #usable(tx: Sql, project: Project, slug: string, number: number) {
    const deployment = await findDeployment(tx, project.ref, slug, number);
    if (!deployment) throw notFound(`Function ${slug} has no deployment ${number}`);
    const manifest = parseManifest(slug, deployment.manifest);
    await refuseMissingSecrets(tx, project.ref, manifest);
    return { id: deployment.id, manifest };
  }

  async #checkHost(sql: Sql, { ref }: Project, slug: string, manifests: readonly Manifest[]): Promise<void> {
    let elsewhere = await provisionedElsewhere(sql, ref, slug);
    for (const manifest of manifests) {
      this.host.check(slug, manifest, elsewhere);
      elsewhere += manifest.min_instances;
    }
  }

  /** @param work what ends the function's service; false means that there was none, and then nothing else is done */
  async #withdraw(project: Project, slug: string, work: (tx: Sql) => Promise<boolean>): Promise<boolean> {
    const done = await this.database.transaction(async (tx) => {
      await lockActivations(tx, project.ref);
      return work(tx);
    });
    if (!done) return false;
    this.#tellChange(project, slug);
    await this.database.transaction(async (tx) => {
      await lockActivations(tx, project.ref);
      const [again] = await listFunctions(tx, project.ref, slug);
      if (!again) await removePermissions(project, slug, await watchedTables(tx, project.ref));
    });
    return true;
  }
}

async function activate(
  tx: Sql,
  project: Project,
  slug: string,
  { id, manifest }: { id: string; manifest: Manifest },
): Promise<void> {
  await replaceSubscriptions(tx, project.ref, slug, subscriptionsOf(project.ref, slug, manifest));
  const provisioned = manifest.min_instances > 0;
  await setAnswering(tx, project.ref, slug, { activeId: id, traffic: [], provisioned });
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
      `; set it by POST /v1/projects/${projectRef}/secrets, then deploy again`,
  });
}

function notFound(message: string): AppError {
  return new AppError({ code: 'not_found', status: 404, message });
}
