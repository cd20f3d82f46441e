import type { Logger, ProjectRegistry } from '#libs/platform';
import { sweepOrphanVersions, type ObjectBytes } from '#libs/storage';

const intervalMs = 60 * 60_000;
/** Workers that start together do not sweep together. */
const jitterMs = 10 * 60_000;

/** What is done about once an hour: bytes that crashes left without a row are removed. */
export class Housekeeping {
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();

  constructor(
    private readonly projects: ProjectRegistry,
    private readonly bytes: ObjectBytes,
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
      try {
        const removed = await sweepOrphanVersions(project, this.bytes);
        if (removed > 0)
          this.logger.info({ project: project.ref, removed }, 'Removed bytes that no object names');
      } catch (error) {
        this.logger.warn(
          { err: error, project: project.ref },
          'Orphaned bytes could not be removed; trying again later',
        );
      }
    }
  }
}
