import { Inject, Module, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { EventsModule, JobQueue, Relay } from '#libs/events';
import { FunctionsModule, InvokeFunction } from '#libs/functions';
import {
  CONFIG,
  LOGGER,
  Metrics,
  ShutdownGrace,
  PlatformDatabase,
  ProjectRegistry,
  type Config,
  type Logger,
} from '#libs/platform';
import { ObjectBytes, ObjectBytesModule } from '#libs/storage';
import { UsageModule } from '#libs/usage';
import { Consumers } from './consumers.js';
import { deliver } from './deliver.js';
import { Housekeeping } from './housekeeping.js';

/** Carries events to functions: a relay for each project, and consumers for the functions that have work. */
@Module({ imports: [EventsModule, FunctionsModule, ObjectBytesModule, UsageModule] })
export class WorkerModule implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #consumers: Consumers;
  readonly #relays: Relay[];
  readonly #housekeeping: Housekeeping;

  constructor(
    queue: JobQueue,
    database: PlatformDatabase,
    projects: ProjectRegistry,
    invokeFunction: InvokeFunction,
    bytes: ObjectBytes,
    private readonly grace: ShutdownGrace,
    metrics: Metrics,
    @Inject(CONFIG) config: Config,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.#relays = projects.all().map((project) => new Relay(project, database, queue, logger));
    this.#consumers = new Consumers(
      queue,
      database,
      (projectRef, slug) => invokeFunction.concurrencyOf(projects.get(projectRef), slug),
      (job, of) => deliver({ database, queue, projects, invokeFunction, logger }, job, of),
      logger,
    );
    this.#housekeeping = new Housekeeping(projects, bytes, database, config, logger);
    metrics.gauge(
      'galley_queue_jobs',
      'Jobs of the functions whose queues this worker serves now.',
      ['project', 'function', 'state'],
      async (gauge) => {
        gauge.reset();
        for (const { projectRef, functionSlug, ...counts } of await this.#consumers.queues()) {
          const of = { project: projectRef, function: functionSlug };
          for (const [state, count] of Object.entries(counts)) gauge.set({ ...of, state }, count);
        }
      },
    );
  }

  async onApplicationBootstrap(): Promise<void> {
    await Promise.all([...this.#relays.map((relay) => relay.start()), this.#consumers.start()]);
    this.#housekeeping.start();
  }

  /** Before the features close: events stop coming first, then the jobs under way end. */
  async onModuleDestroy(): Promise<void> {
    await this.#housekeeping.stop();
    await Promise.all(this.#relays.map((relay) => relay.stop()));
    await this.#consumers.stop(this.grace.leftMs());
  }
}
