import { Inject, Module, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import {
  EventsModule,
  isFunctionTarget,
  JobQueue,
  QueuePush,
  Relay,
  Scheduler,
  type Delivery,
} from '#libs/events';
import { EventLog, FunctionsModule, InvokeFunction, Secrets } from '#libs/functions';
import {
  LOGGER,
  Metrics,
  ShutdownGrace,
  PlatformDatabase,
  ProjectRegistry,
  systemClock,
  type Logger,
} from '#libs/platform';
import { Budgets, UsageLedger, UsageModule } from '#libs/usage';
import { limits as webhookLimits, SendRequest, TellWebhook, Webhooks, WebhooksModule } from '#libs/webhooks';
import { Autoscaler } from './autoscaler.js';
import { Consumers } from './consumers.js';
import { deliver } from './deliver.js';
import { DeliveryWrites } from './delivery-writes.js';
import { tellQueues } from './queue-metrics.js';

/** Carries events to functions: a relay for each project, and consumers for the functions that have work. */
@Module({ imports: [EventsModule, FunctionsModule, UsageModule, WebhooksModule.with(Secrets)] })
export class WorkerModule implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #consumers: Consumers;
  readonly #relays: Relay[];
  readonly #scheduler: Scheduler;
  readonly #queuePush: QueuePush;

  constructor(
    queue: JobQueue,
    database: PlatformDatabase,
    projects: ProjectRegistry,
    invokeFunction: InvokeFunction,
    eventLog: EventLog,
    sendRequest: SendRequest,
    tellWebhook: TellWebhook,
    webhooks: Webhooks,
    private readonly grace: ShutdownGrace,
    metrics: Metrics,
    ledger: UsageLedger,
    budgets: Budgets,
    @Inject(LOGGER) logger: Logger,
  ) {
    const count = (projectRef: string, events: number) =>
      ledger.addMeter(projectRef, 'events', events, new Date());
    this.#relays = projects.all().map((project) => {
      const onCarried = (events: number) => count(project.ref, events);
      const onRefused = (delivery: Delivery, refusal: string) =>
        void eventLog.tellRefusal(project, delivery, refusal);
      return new Relay(project, database, queue, logger, onRefused, onCarried);
    });
    this.#queuePush = new QueuePush(projects.all(), database, logger);
    this.#scheduler = new Scheduler(database, queue, systemClock, logger, count);
    const autoscaler = new Autoscaler(
      queue,
      async (projectRef, slug) =>
        isFunctionTarget(slug)
          ? invokeFunction.eventCapacity(projects.get(projectRef), slug)
          : { maxInstances: webhookLimits.sentAtOnce, concurrency: 1 },
      logger,
    );
    const writes = new DeliveryWrites(database);
    const sending = { sendRequest, tellWebhook, webhooks };
    this.#consumers = new Consumers(
      queue,
      database,
      autoscaler,
      (job, of) =>
        deliver({ database, writes, queue, projects, invokeFunction, eventLog, ...sending, logger }, job, of),
      // What is sent to URLs is not metered.
      (projectRef, slug) => isFunctionTarget(slug) && budgets.holds(projectRef, slug),
      logger,
    );
    tellQueues(metrics, this.#consumers, autoscaler);
  }

  async onApplicationBootstrap(): Promise<void> {
    await Promise.all([...this.#sources(), this.#consumers].map((part) => part.start()));
  }

  /** Before the features close: events stop coming first, then the jobs under way end. */
  async onModuleDestroy(): Promise<void> {
    await Promise.all(this.#sources().map((source) => source.stop()));
    await this.#consumers.stop(this.grace.leftMs());
  }

  /** Where events come from. */
  #sources() {
    return [...this.#relays, this.#scheduler, this.#queuePush];
  }
}
