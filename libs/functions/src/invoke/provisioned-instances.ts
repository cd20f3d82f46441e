import { Inject, Injectable } from '@nestjs/common';
import { LOGGER, ProjectRegistry, type AppError, type Logger } from '#libs/platform';
import { InstancePool } from '../instances/instance-pool.js';
import { limits } from '../limits.js';
import { ActiveDeployments } from './active-deployments.js';
import { InstanceSpecs } from './instance-specs.js';

/**
 * Keeps `min_instances` of the deployments that answer ready in this process. It looks every now and then which those
 * are, so that a deployment's instances come and go with its activation, whichever process did that.
 */
@Injectable()
export class ProvisionedInstances {
  #timer: NodeJS.Timeout | undefined;
  #running = false;
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
    this.#running = true;
    void this.#lookAgain();
  }

  stop(): void {
    this.#running = false;
    clearTimeout(this.#timer);
  }

  async #lookAgain(): Promise<void> {
    await this.#look().catch((error: unknown) => {
      this.logger.warn({ err: error }, 'The instances to be kept ready could not be looked up');
    });
    if (this.#running) {
      this.#timer = setTimeout(() => void this.#lookAgain(), limits.provisionedLookMs).unref();
    }
  }

  /** Brings the pool in line with what answers now. */
  async #look(): Promise<void> {
    if (!this.specs.areReady) return;
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
