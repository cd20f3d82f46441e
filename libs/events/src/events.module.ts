import { Global, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import {
  CONFIG,
  LOGGER,
  Metrics,
  PlatformDatabase,
  ProjectRegistry,
  Sealer,
  type Config,
  type Logger,
} from '#libs/platform';
import { tellBacklog } from './backlog-metrics.js';
import { DeliveriesController } from './deliveries.controller.js';
import { FunctionEventsController } from './function-events.controller.js';
import { postgresBackend, redisBackend } from './queue/backends.js';
import { BullMqQueue } from './queue/bullmq-queue.js';
import { JobQueue } from './queue/job-queue.js';
import { SchedulesController } from './schedules/schedules.controller.js';

/** Functions whose queues one worker serves at a time; the others wait their turn. */
export const maxOpenConsumers = 24;

/** Opens the queues on the backend that the configuration names. */
async function openQueue(
  config: Config,
  database: PlatformDatabase,
  sealer: Sealer,
  logger: Logger,
): Promise<JobQueue> {
  // Programs of one installation share the master key and the platform database, and no other installation has both.
  const installation = sealer.derive(`queues of ${config.postgres.platformDatabase}`, 8).toString('hex');
  const backend = config.redisUrl
    ? await redisBackend(config.redisUrl, `galley-${installation}`)
    : await postgresBackend({ connection: database.connection, maxConsumers: maxOpenConsumers });
  return new BullMqQueue(backend, logger);
}

/** The queues, for every program; {@link EventsHttpModule} adds what a server answers about deliveries and schedules. */
@Global()
@Module({
  providers: [
    { provide: JobQueue, inject: [CONFIG, PlatformDatabase, Sealer, LOGGER], useFactory: openQueue },
  ],
  exports: [JobQueue],
})
export class EventsModule implements OnApplicationShutdown {
  constructor(private readonly queue: JobQueue) {}

  async onApplicationShutdown(): Promise<void> {
    await this.queue.close();
  }
}

@Module({
  imports: [EventsModule],
  controllers: [DeliveriesController, FunctionEventsController, SchedulesController],
})
export class EventsHttpModule {
  constructor(
    metrics: Metrics,
    database: PlatformDatabase,
    projects: ProjectRegistry,
    @Inject(LOGGER) logger: Logger,
  ) {
    tellBacklog(metrics, database, projects, logger);
  }
}
