import { Inject, Module, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { EventsModule, JobQueue, Relay, type Delivery } from '#libs/events';
import { EventLog, FunctionsModule, InvokeFunction } from '#libs/functions';
import {
  LOGGER,
  Metrics,
  ShutdownGrace,
  PlatformDatabase,
  ProjectRegistry,
  type Logger,
} from '#libs/platform';
import { Budgets, UsageLedger, UsageModule } from '#libs/usage';
import { Autoscaler } from './autoscaler.js';
import { Consumers } from './consumers.js';
import { deliver } from './deliver.js';
import { tellQueues } from './queue-metrics.js';

/** Carries events to functions: a relay for each project, and consumers for the functions that have work. */
@Module({ imports: [EventsModule, FunctionsModule, UsageModule] })
export class WorkerModule implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #consumers: Consumers;
  readonly #relays: Relay[];

  constructor(
    queue: JobQueue,
    database: PlatformDatabase,
    projects: ProjectRegistry,
    invokeFunction: InvokeFunction,
    eventLog: EventLog,
    private readonly grace: ShutdownGrace,
    metrics: Metrics,
    ledger: UsageLedger,
    budgets: Budgets,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.#relays = projects.all().map((project) => {
      const count = (events: number) => ledger.addMeter(project.ref, 'events', events, new Date());
      const onRefused = (delivery: Delivery, refusal: string) =>
        void eventLog.tellRefusal(project, delivery, refusal);
      return new Relay(project, database, queue, logger, onRefused, count);
    });
    const autoscaler = new Autoscaler(
      queue,
      (projectRef, slug) => invokeFunction.eventCapacity(projects.get(projectRef), slug),
      logger,
    );
    this.#consumers = new Consumers(
      queue,
      database,
      autoscaler,
      (job, of) => deliver({ database, queue, projects, invokeFunction, eventLog, logger }, job, of),
      (projectRef, slug) => budgets.holds(projectRef, slug),
      logger,
    );
    tellQueues(metrics, this.#consumers, autoscaler);
  }

  async onApplicationBootstrap(): Promise<void> {
    await Promise.all([...this.#relays.map((relay) => relay.start()), this.#consumers.start()]);
  }

  /** Before the features close: events stop coming first, then the jobs under way end. */
  async onModuleDestroy(): Promise<void> {
    await Promise.all(this.#relays.map((relay) => relay.stop()));
    await this.#consumers.stop(this.grace.leftMs());
  }
}
