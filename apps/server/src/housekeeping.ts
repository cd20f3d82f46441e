import { Inject, Module, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { sweepDeliveries, sweepRequests } from '#libs/events';
import { limits as functionLimits, sweepLogs } from '#libs/functions';
import {
  CONFIG,
  LOGGER,
  PlatformDatabase,
  ProjectRegistry,
  type Config,
  type Logger,
  type Project,
} from '#libs/platform';
import { ObjectBytes, ObjectBytesModule, sweepOrphanVersions } from '#libs/storage';
import { sweepInvocations, tidyUsage } from '#libs/usage';

const intervalMs = 60 * 60_000;
/** Servers that start together do not sweep together. */
const jitterMs = 10 * 60_000;

/**
 * What is done about once an hour: bytes that crashes left without a row are removed, log lines, deliveries, requests and records
 * that have had their time, and the parts in which hours of usage are written are joined. By servers, because workers
 * come and go with the work, and may never live for an hour.
 */
@Module({ imports: [ObjectBytesModule] })
export class HousekeepingModule implements OnApplicationBootstrap, OnModuleDestroy {
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();

  constructor(
    private readonly projects: ProjectRegistry,
    private readonly bytes: ObjectBytes,
    private readonly database: PlatformDatabase,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.#start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.#working;
    clearTimeout(this.#timer);
  }

  #start(): void {
    const waitMs = intervalMs + Math.random() * jitterMs;
    this.#timer = setTimeout(() => {
      this.#working = this.#work().finally(() => this.#start());
    }, waitMs).unref();
  }

  async #work(): Promise<void> {
    for (const project of this.projects.all()) {
      await this.#sweep(project, 'bytes that no object names', () =>
        sweepOrphanVersions(project, this.bytes),
      );
      await this.#sweep(project, 'function log lines', () =>
        sweepLogs(this.database, project.ref, this.config.functions.logRetention),
      );
      await this.#sweep(project, 'ended deliveries', () =>
        sweepDeliveries(this.database, project.ref, this.config.functions.deliveryDays),
      );
      await this.#sweep(project, 'records of invocations', () =>
        sweepInvocations(this.database, project.ref, this.config.functions.invocationDays),
      );
      await this.#sweep(project, 'parts of hours of usage by joining them', () =>
        tidyUsage(this.database, project.ref, new Date()),
      );
      await this.#sweep(project, 'requests and answers of deliveries', () =>
        sweepRequests(this.database, project.ref, functionLimits.callKeptMs),
      );
    }
  }

  async #sweep(project: Project, what: string, sweep: () => Promise<number>): Promise<void> {
    try {
      const removed = await sweep();
      if (removed > 0) this.logger.info({ project: project.ref, removed }, `Removed ${what}`);
    } catch (error) {
      this.logger.warn({ err: error, project: project.ref }, `Could not remove ${what}; trying again later`);
    }
  }
}
