import { Inject, Module, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { EventsModule, JobQueue, QueuePush, Relay, Scheduler, type Delivery } from '#libs/events';
import { EventLog, FunctionsModule, InvokeFunction } from '#libs/functions';
import {
  CONFIG,
  LOGGER,
  Metrics,
  ShutdownGrace,
  PlatformDatabase,
  ProjectRegistry,
  systemClock,
  type Config,
  type Logger,
} from '#libs/platform';
import { ObjectBytes, ObjectBytesModule } from '#libs/storage';
import { UsageModule } from '#libs/usage';
import { Autoscaler } from './autoscaler.js';
import { Consumers } from './consumers.js';
import { deliver } from './deliver.js';
import { Housekeeping } from './housekeeping.js';
import { tellQueues } from './queue-metrics.js';

/** Carries events to functions: a relay for each project, and consumers for the functions that have work. */
@Module({ imports: [EventsModule, FunctionsModule, ObjectBytesModule, UsageModule] })
export class WorkerModule implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #consumers: Consumers;
  readonly #relays: Relay[];
  readonly #scheduler: Scheduler;
  readonly #queuePush: QueuePush;
  readonly #housekeeping: Housekeeping;

  constructor(
    queue: JobQueue,
    database: PlatformDatabase,
    projects: ProjectRegistry,
    invokeFunction: InvokeFunction,
    eventLog: EventLog,
    bytes: ObjectBytes,
    private readonly grace: ShutdownGrace,
    metrics: Metrics,
    @Inject(CONFIG) config: Config,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.#relays = projects.all().map((project) => {
      const onRefused = (delivery: Delivery, refusal: string) =>
        void eventLog.tellRefusal(project, delivery, refusal);
      return new Relay(project, database, queue, logger, onRefused);
    });
    this.#queuePush = new QueuePush(projects.all(), database, logger);
    this.#scheduler = new Scheduler(database, queue, systemClock, logger);
    const autoscaler = new Autoscaler(
      queue,
      (projectRef, slug) => invokeFunction.eventCapacity(projects.get(projectRef), slug),
      logger,
    );
    this.#consumers = new Consumers(
      queue,
      database,
      autoscaler,
      (job) => deliver({ database, projects, invokeFunction, eventLog, logger }, job),
      logger,
    );
    this.#housekeeping = new Housekeeping(projects, bytes, database, config, logger);
    tellQueues(metrics, this.#consumers, autoscaler);
  }

  async onApplicationBootstrap(): Promise<void> {
    await Promise.all([...this.#sources(), this.#consumers].map((part) => part.start()));
    this.#housekeeping.start();
  }

  /** Before the features close: events stop coming first, then the jobs under way end. */
  async onModuleDestroy(): Promise<void> {
    await this.#housekeeping.stop();
    await Promise.all(this.#sources().map((source) => source.stop()));
    await this.#consumers.stop(this.grace.leftMs());
  }

  /** Where events come from. */
  #sources() {
    return [...this.#relays, this.#scheduler, this.#queuePush];
  }
}
