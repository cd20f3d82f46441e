import type { CommittedEvent } from '../catalogue.js';
import type { SubscriptionSettings } from './subscription-settings.js';

/** Which events a function wants. */
export interface Subscription {
  readonly id: string;
  readonly functionSlug: string;
  readonly event: string;
  readonly filter: SubscriptionFilter;
  readonly settings: SubscriptionSettings;
}

/** Narrows a subscription; what is not named matches everything. */
export interface SubscriptionFilter {
  /** Object events: only of this bucket. */
  readonly bucket?: string;
  /** Object events: only names that begin so. */
  readonly prefix?: string;
  /** Row events: only of this table, `schema.name`. */
  readonly table?: string;
  /** Ends of deliveries: only of those to this function. */
  readonly function?: string;
  /** `row.updated`: only when one of these columns changed. */
  readonly columns?: readonly string[];
  /** Row events: only of rows that satisfy this, by column: see `row-condition.ts`. */
  readonly when?: Readonly<Record<string, string>>;
  /** Messages: only of this queue. */
  readonly queue?: string;
}

/**
 * Whether `subscription` wants `event`, as far as its subject tells; what is asked about the row's values
 * ({@link asksAboutRow}) the project's database answers.
 */
export function matches(subscription: Subscription, event: CommittedEvent): boolean {
  if (subscription.event !== event.name) return false;
  const { bucket, prefix, table, queue } = subscription.filter;
  const { subject } = event;
  const isAt = (ownBucket: string | null, object: string | null) =>
    (bucket === undefined || ownBucket === bucket) && (prefix === undefined || !!object?.startsWith(prefix));
  // Who watches a folder is told of what comes and of what goes.
  if (!isAt(subject.bucket, subject.object) && !isAt(subject.fromBucket, subject.fromObject)) return false;
  if (table !== undefined && `${subject.schema}.${subject.table}` !== table) return false;
  if (queue !== undefined && subject.queue !== queue) return false;
  return true;
}

export function asksAboutRow({ filter }: Subscription): boolean {
  return filter.columns !== undefined || filter.when !== undefined;
}
