export {
  catalogue,
  eventNames,
  type CommittedEvent,
  type EventName,
  type EventPayload,
} from './catalogue.js';
export { appendEvent } from './outbox.js';
