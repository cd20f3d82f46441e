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
  insertDeliveries,
  openDeliveries,
  startDelivery,
  type DeliveredPayload,
  type Delivery,
  type NewDelivery,
  type StartedDelivery,
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
export { queueNameOf, workChannel } from './delivery/queue-names.js';
export { Relay } from './relay/relay.js';
export { JobQueue, RetryLater, type Consumer, type Job, type QueueCounts } from './queue/job-queue.js';
export { retryDelayMs } from './queue/retry-delay.js';
export { BullMqQueue } from './queue/bullmq-queue.js';
export { postgresBackend, redisBackend } from './queue/backends.js';
export { EventsHttpModule, EventsModule, maxOpenConsumers } from './events.module.js';
