import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { LOGGER, PlatformDatabase, ProjectRegistry, type Logger } from '#libs/platform';
import { ProjectGauges } from './gauges.js';
import { usageLimits as limits } from './limits.js';

/** Looks at what projects have, once an hour: bytes are paid for by the time that they are stored. */
@Injectable()
export class GaugeSampler implements OnApplicationBootstrap, OnModuleDestroy {
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(
    private readonly gauges: ProjectGauges,
    private readonly projects: ProjectRegistry,
    private readonly database: PlatformDatabase,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    const look = () => void (this.#looking = this.#look());
    this.#timer = setInterval(look, limits.gaugeMs).unref();
    look();
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    for (const project of this.projects.all()) {
      await this.gauges.note(this.database, project).catch((error: unknown) => {
        this.logger.warn(
          { err: error, project: project.ref },
          'What a project stores could not be looked at',
        );
      });
    }
  }
}
