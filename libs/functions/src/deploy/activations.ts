import { Injectable } from '@nestjs/common';
import { deleteSchedulesOf, lockActivations, replaceSchedules, watchedTables } from '#libs/events';
import { AppError, PlatformDatabase, type Project, type Sql } from '#libs/platform';
import { forgetDeployment } from '../invoke/known-deployments.js';
import { HostSupport } from '../manifest/host-support.js';
import { parseManifest, type Manifest } from '../manifest/manifest.js';
import { schedulesOf } from '../manifest/schedules.js';
import { subscriptionsOf } from '../manifest/subscriptions.js';
import { removePermissions, settlePermissions, widenPermissions } from '../permissions/apply-manifest.js';
import { deleteOldBuilds } from './builds.sql.js';
import {
  answeringDeployments,
  deleteActivation,
  deleteDeployments,
  findDeployment,
  listFunctions,
  provisionedElsewhere,
  replaceSubscriptions,
  setAnswering,
  type FunctionSummary,
} from './deployments.sql.js';
import { refuseMissingSecrets } from './missing-secrets.js';

/** A recorded deployment, by its function. */
export interface DeploymentName {
  readonly slug: string;
  readonly number: number;
}

/** One that may be made to answer. */
interface Usable {
  readonly id: string;
  readonly slug: string;
  readonly manifest: Manifest;
}

/** Decides which deployments answer for a function: one, several, or none. */
@Injectable()
export class Activations {
  readonly #listeners: (() => void)[] = [];

  constructor(
    private readonly database: PlatformDatabase,
    private readonly host: HostSupport,
  ) {}

  /** The project's functions by name. */
  list(project: Project): Promise<FunctionSummary[]> {
    return listFunctions(this.database, project.ref);
  }

  /**
   * Makes a recorded deployment the active one, and lets it alone answer: the way back, and forward again.
   * @throws AppError `not_found` (404); `invalid_manifest` (400) when it needs what is no longer there.
   */
  async activate(project: Project, slug: string, number: number): Promise<FunctionSummary> {
    return (await this.activateAll(project, [{ slug, number }]))[0]!;
  }

  /**
   * Makes recorded deployments of several functions the active ones: all of them, or none.
   * @throws AppError as {@link activate}
   */
  async activateAll(project: Project, names: readonly DeploymentName[]): Promise<FunctionSummary[]> {
    await this.database.transaction(async (tx) => {
      await lockActivations(tx, project.ref);
      const deployments: Usable[] = [];
      for (const name of names) deployments.push(await this.#usable(tx, project, name));
      await this.activateIn(tx, project, deployments);
    });
    const settled: FunctionSummary[] = [];
    for (const { slug } of names) settled.push(await this.settle(project, slug));
    return settled;
  }

  /** As a part of `tx`, in which activations are locked. To be followed by {@link settle} once `tx` is committed. */
  async activateIn(tx: Sql, project: Project, deployments: readonly Usable[]): Promise<void> {
    for (const { id, slug, manifest } of deployments) {
      await this.checkHost(tx, project, slug, [manifest]);
      await replaceSubscriptions(tx, project.ref, slug, subscriptionsOf(project.ref, slug, manifest));
      await replaceSchedules(tx, project.ref, slug, schedulesOf(manifest));
      const provisioned = manifest.min_instances > 0;
      await setAnswering(tx, project.ref, slug, { activeId: id, traffic: [], provisioned });
    }
    // Last, so that nothing refuses the activation after it; the project's database is another one than `tx` is in.
    for (const { slug, manifest } of deployments) await widenPermissions(project, slug, manifest);
  }

  /**
   * Shares a function's calls and events out among several of its deployments. The active one stays active if it is
   * among them, else that of the largest part becomes it: its subscriptions are the function's.
   * @param shares percentages that make 100 together
   * @throws AppError as {@link activate}
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
      for (const { number, percent } of shares)
        parts.push({ ...(await this.#usable(tx, project, { slug, number })), number, percent });
      const manifests = parts.map(({ manifest }) => manifest);
      await this.checkHost(tx, project, slug, manifests);
      const largest = parts.toSorted((a, b) => b.percent - a.percent)[0]!;
      const active = parts.find(({ id }) => id === current?.active.id) ?? largest;
      await replaceSubscriptions(tx, project.ref, slug, subscriptionsOf(project.ref, slug, active.manifest));
      await replaceSchedules(tx, project.ref, slug, schedulesOf(active.manifest));
      await setAnswering(tx, project.ref, slug, {
        activeId: active.id,
        traffic: parts.map(({ id, number, percent }) => ({ deployment_id: id, number, percent })),
        provisioned: manifests.some((manifest) => manifest.min_instances > 0),
      });
      for (const manifest of manifests) await widenPermissions(project, slug, manifest);
    });
    return this.settle(project, slug);
  }

  /**
   * Leaves the function's role with exactly what the deployments declare that answer for it. Repeating it mends what
   * was changed by hand, or lost when a table was made anew.
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

  /**
   * Takes a function out of service: calls find no such function, and no event wakes it. Its deployments stay, so
   * that deploying or activating one brings it back; a state of its own is not needed for that.
   * @returns false when it was not in service
   */
  deactivate(project: Project, slug: string): Promise<boolean> {
    return this.#withdraw(project, slug, async (tx) => {
      await replaceSchedules(tx, project.ref, slug, []);
      return deleteActivation(tx, project.ref, slug);
    });
  }

  /**
   * Deletes a function with its deployments and builds.
   * @throws AppError `not_found` (404)
   */
  async remove(project: Project, slug: string): Promise<void> {
    const removed = await this.#withdraw(project, slug, async (tx) => {
      const active = await deleteActivation(tx, project.ref, slug);
      await deleteOldBuilds(tx, project.ref, slug, 0);
      await deleteSchedulesOf(tx, project.ref, slug);
      return (await deleteDeployments(tx, project.ref, slug)) || active;
    });
    if (!removed) throw notFound(`There is no function ${slug}`);
  }

  /**
   * @param manifests of the deployments that would answer for the function
   * @throws AppError `invalid_manifest` (400) naming what this host cannot keep to
   */
  async checkHost(sql: Sql, { ref }: Project, slug: string, manifests: readonly Manifest[]): Promise<void> {
    let elsewhere = await provisionedElsewhere(sql, ref, slug);
    for (const manifest of manifests) {
      this.host.check(slug, manifest, elsewhere);
      elsewhere += manifest.min_instances;
    }
  }

  #tellChange(project: Project, slug: string): void {
    forgetDeployment(project, slug);
    for (const listener of this.#listeners) listener();
  }

  /** A recorded deployment whose secrets are there. */
  async #usable(tx: Sql, project: Project, { slug, number }: DeploymentName): Promise<Usable> {
    const deployment = await findDeployment(tx, project.ref, slug, number);
    if (!deployment) throw notFound(`Function ${slug} has no deployment ${number}`);
    const manifest = parseManifest(slug, deployment.manifest);
    await refuseMissingSecrets(tx, project.ref, manifest);
    return { id: deployment.id, slug, manifest };
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

export function notFound(message: string): AppError {
  return new AppError({ code: 'not_found', status: 404, message });
}
