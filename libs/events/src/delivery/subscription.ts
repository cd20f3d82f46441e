import type { CommittedEvent } from '../catalogue.js';

/** Which events a function wants. */
export interface Subscription {
  readonly id: string;
  readonly functionSlug: string;
  readonly event: string;
  readonly filter: SubscriptionFilter;
}

/** Narrows a subscription; what is not named matches everything. */
export interface SubscriptionFilter {
  /** Object events: only of this bucket. */
  readonly bucket?: string;
  /** Object events: only names that begin so. */
  readonly prefix?: string;
  /** Row events: only of this table, `schema.name`. */
  readonly table?: string;
  /** Messages: only of this queue. */
  readonly queue?: string;
}

/** Whether `subscription` wants `event`. */
export function matches(subscription: Subscription, event: CommittedEvent): boolean {
  if (subscription.event !== event.name) return false;
  const { bucket, prefix, table, queue } = subscription.filter;
  const { subject } = event;
  if (bucket !== undefined && subject.bucket !== bucket) return false;
  if (prefix !== undefined && !subject.object?.startsWith(prefix)) return false;
  if (table !== undefined && `${subject.schema}.${subject.table}` !== table) return false;
  if (queue !== undefined && subject.queue !== queue) return false;
  return true;
}
