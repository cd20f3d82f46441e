import { sweepRequests } from '#libs/events';
import { limits as functionLimits, sweepLogs } from '#libs/functions';
import type { Config, Logger, PlatformDatabase, Project, ProjectRegistry } from '#libs/platform';
import { sweepOrphanVersions, type ObjectBytes } from '#libs/storage';

const intervalMs = 60 * 60_000;
/** Workers that start together do not sweep together. */
const jitterMs = 10 * 60_000;

/** What is done about once an hour: bytes that crashes left without a row are removed, and log lines and requests that have had their time. */
export class Housekeeping {
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();

  constructor(
    private readonly projects: ProjectRegistry,
    private readonly bytes: ObjectBytes,
    private readonly database: PlatformDatabase,
    private readonly config: Config,
    private readonly logger: Logger,
  ) {}

  start(): void {
    const waitMs = intervalMs + Math.random() * jitterMs;
    this.#timer = setTimeout(() => {
      this.#working = this.#work().finally(() => this.start());
    }, waitMs).unref();
  }

  async stop(): Promise<void> {
    await this.#working;
    clearTimeout(this.#timer);
  }

  async #work(): Promise<void> {
    for (const project of this.projects.all()) {
      await this.#sweep(project, 'bytes that no object names', () =>
        sweepOrphanVersions(project, this.bytes),
      );
      await this.#sweep(project, 'function log lines', () =>
        sweepLogs(this.database, project.ref, this.config.functions.logRetention),
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
