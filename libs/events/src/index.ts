export {
  catalogue,
  eventNames,
  type CommittedEvent,
  type EventName,
  type EventPayload,
} from './catalogue.js';
export { appendEvent } from './outbox.js';
export { matches, type Subscription, type SubscriptionFilter } from './delivery/subscription.js';
export {
  endAttempt,
  endDeliveriesToNobody,
  functionsWithWork,
  openDeliveries,
  startDelivery,
  type DeliveredPayload,
  type Delivery,
  type StartedDelivery,
} from './delivery/deliveries.sql.js';
export { queueNameOf, workChannel } from './delivery/queue-names.js';
export { QueuePush } from './queues/queue-push.js';
export { Scheduler } from './schedules/scheduler.js';
export type { NewSchedule } from './schedules/schedule.js';
export {
  nameOf as scheduleNameOf,
  scheduleOf,
  scheduleProblems,
  scheduleShape,
} from './schedules/schedule-input.js';
export { deleteSchedulesOf, replaceSchedules } from './schedules/schedules.sql.js';
export { Relay } from './relay/relay.js';
export { JobQueue, RetryLater, type Consumer, type Job, type QueueCounts } from './queue/job-queue.js';
export { retryDelayMs } from './queue/retry-delay.js';
export { BullMqQueue } from './queue/bullmq-queue.js';
export { postgresBackend, redisBackend } from './queue/backends.js';
export { EventsHttpModule, EventsModule, maxOpenConsumers } from './events.module.js';
