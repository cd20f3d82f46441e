import { Inject, Injectable } from '@nestjs/common';
import { LOGGER, ProjectRegistry, type AppError, type Logger } from '#libs/platform';
import { InstancePool } from '../instances/instance-pool.js';
import { limits } from '../limits.js';
import { ActiveDeployments } from './active-deployments.js';
import { InstanceSpecs } from './instance-specs.js';

/** Between looks while it is not known yet where functions reach the API: until the server listens. */
const notReadyMs = 50;

/**
 * Keeps `min_instances` of the deployments that answer ready in this process. It looks which those are when this
 * process changed that, and every now and then, since others do so too.
 */
@Injectable()
export class ProvisionedInstances {
  #timer: NodeJS.Timeout | undefined;
  #isRunning = false;
  #looking: Promise<void> = Promise.resolve();
  /** Keys of the pool → what lets their instances go. */
  #kept = new Map<string, () => void>();

  constructor(
    private readonly deployments: ActiveDeployments,
    private readonly specs: InstanceSpecs,
    private readonly pool: InstancePool,
    private readonly projects: ProjectRegistry,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  start(): void {
    this.#isRunning = true;
    this.deployments.onChange(() => void this.#lookNow());
    void this.#lookNow();
  }

  stop(): void {
    this.#isRunning = false;
    clearTimeout(this.#timer);
  }

  async #lookNow(): Promise<void> {
    if (!this.#isRunning) return;
    this.#looking = this.#looking
      .then(() => this.#look())
      .catch((error: unknown) => {
        this.logger.warn({ err: error }, 'The instances to be kept ready could not be looked up');
      });
    await this.#looking;
    if (!this.#isRunning) return;
    clearTimeout(this.#timer);
    const waitMs = this.specs.areReady ? limits.provisionedLookMs : notReadyMs;
    this.#timer = setTimeout(() => void this.#lookNow(), waitMs).unref();
  }

  /** Brings the pool in line with what answers now. */
  async #look(): Promise<void> {
    if (!this.specs.areReady) return;
    await this.specs.prepareHost();
    const kept = new Map<string, () => void>();
    for (const { projectRef, slug } of await this.deployments.provisioned()) {
      const project = this.projects.get(projectRef);
      for (const deployment of project ? await this.deployments.answering(project, slug) : []) {
        const { min_instances: count } = deployment.manifest;
        if (count === 0) continue;
        const { key, makeSpec, options } = this.specs.plan(project!, deployment);
        const keep = (least: number) =>
          this.pool.keepReady(key, makeSpec, options, {
            count: least,
            onFailure: (error) => this.#tellFailure(slug, error),
          });
        kept.set(key, () => keep(0));
        if (!this.#kept.has(key)) keep(count);
      }
    }
    for (const [key, letGo] of this.#kept) if (!kept.has(key)) letGo();
    this.#kept = kept;
  }

  #tellFailure(slug: string, error: unknown): void {
    const { message, details, cause } = error as AppError;
    this.logger.warn(
      { function: slug, details, err: cause },
      `An instance to be kept ready is missing: ${message}`,
    );
  }
}
