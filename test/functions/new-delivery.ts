import type { StartedDelivery } from '#libs/events';
import { newId } from '#libs/platform';

/** A delivery to the function `slug`, as a worker has begun it; of a changed row, unless `change` says otherwise. */
export function newDelivery(slug: string, change: Partial<StartedDelivery> = {}): StartedDelivery {
  return {
    id: newId(),
    projectRef: 'local',
    subscriptionId: newId(),
    functionSlug: slug,
    eventId: newId(),
    eventName: 'row.updated',
    payload: {
      subject: 'public.posts',
      schema: 'public',
      table: 'posts',
      record: '{"id":2}',
      oldRecord: '{"id":1}',
      leftOut: null,
      whole: null,
    },
    requestId: 'trace-event',
    depth: 0,
    occurredAt: new Date('2026-01-02T03:04:05.678Z'),
    invocationId: newId(),
    attempt: 1,
    failures: 0,
    settings: {},
    orderingKey: null,
    deploymentNumber: null,
    ...change,
  };
}
