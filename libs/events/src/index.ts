export {
  catalogue,
  eventNames,
  type CommittedEvent,
  type EventName,
  type EventPayload,
} from './catalogue.js';
export { appendEvent } from './outbox.js';
export { matches, type Subscription, type SubscriptionFilter } from './delivery/subscription.js';
export type { BatchSettings, SubscriptionSettings } from './delivery/subscription-settings.js';
export { parseConditions, type ColumnKind } from './delivery/row-condition.js';
export { columnKinds, columnProblems } from './delivery/row-columns.js';
export {
  endDeliveriesToNobody,
  functionsWithWork,
  insertDeliveries,
  openDeliveries,
  type DeliveredPayload,
  type Delivery,
  type NewDelivery,
  type OpenDelivery,
} from './delivery/deliveries.sql.js';
export { queueDeliveries } from './delivery/record-deliveries.js';
export {
  insertRequests,
  makesRequest,
  recordResponse,
  requestEvents,
  requestOfDelivery,
  sweepRequests,
  type DeliveryRequest,
  type KeptResponse,
} from './requests/delivery-requests.sql.js';
export { syncRowTriggers } from './delivery/row-triggers.js';
export { lockActivations, watchedTables } from './delivery/watched-tables.sql.js';
export { isFunctionTarget, webhookOfTarget, webhookTarget } from './delivery/targets.js';
export {
  startDeliveries,
  type NewTry,
  type StartedDelivery,
  type Waiting,
} from './delivery/start-delivery.sql.js';
export { Gathered } from './delivery/gathered.js';
export { sweepDeliveries } from './delivery/sweep-deliveries.js';
export { startBatch } from './delivery/batches.sql.js';
export { endBatch, endTries, type EndedTry, type FollowingDelivery } from './delivery/end-delivery.sql.js';
export { addJobs } from './delivery/record-deliveries.js';
export { leaveParcel, type Parcel } from './delivery/parcels.js';
export { giveRateBack, takeRate, type EventRate } from './delivery/event-rate.js';
export { hastenNext, jobOf } from './delivery/delivery-jobs.js';
export { queueNameOf, workChannel } from './delivery/queue-names.js';
export { QueuePush } from './message-queues/queue-push.js';
export { Scheduler } from './schedules/scheduler.js';
export type { NewSchedule } from './schedules/schedule.js';
export {
  nameOf as scheduleNameOf,
  scheduleOf,
  scheduleProblems,
  scheduleShape,
} from './schedules/schedule-input.js';
export { deleteSchedulesOf, replaceSchedules } from './schedules/schedules.sql.js';
export { chainRefusal } from './relay/chain-budget.js';
export { Relay } from './relay/relay.js';
export { retryDelayMs } from './queue/retry-delay.js';
export {
  HoldQueue,
  JobQueue,
  RetryLater,
  type Consumer,
  type ConsumerLoad,
  type Job,
  type QueueCounts,
} from './queue/job-queue.js';
export { BullMqQueue } from './queue/bullmq-queue.js';
export { postgresBackend, redisBackend } from './queue/backends.js';
export { EventsHttpModule, EventsModule, maxOpenConsumers } from './events.module.js';
