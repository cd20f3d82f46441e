import type { SubscriptionFilter, SubscriptionSettings } from '#libs/events';
import { derivedId } from '#libs/platform';
import type { Manifest } from './manifest.js';

/** One row of the platform's `subscriptions`. */
export interface Subscription {
  readonly id: string;
  readonly event: string;
  readonly filter: SubscriptionFilter;
  readonly settings: SubscriptionSettings;
}

// Key order is fixed here, so that equal filters have one text and one id.
const filterKeys = ['bucket', 'prefix', 'table', 'queue', 'function', 'columns', 'when'] as const;
const settingKeys = ['attempts', 'retry', 'ordering_key', 'batch'] as const;

/** The events that wake a function. The same event with the same filter keeps its id over all deployments. */
export function subscriptionsOf(projectRef: string, slug: string, manifest: Manifest): Subscription[] {
  const byId = new Map<string, Subscription>();
  for (const on of manifest.on) {
    const filter: SubscriptionFilter = present(filterKeys, {
      ...on,
      columns: on.columns?.toSorted(),
      when: on.when && Object.fromEntries(Object.entries(on.when).toSorted()),
    });
    const id = derivedId(projectRef, slug, on.event, JSON.stringify(filter));
    byId.set(id, { id, event: on.event, filter, settings: present(settingKeys, on) });
  }
  return [...byId.values()];
}

function present<Key extends string, Value>(
  keys: readonly Key[],
  from: { readonly [K in Key]?: Value },
): Record<string, Value> {
  return Object.fromEntries(keys.flatMap((key) => (from[key] === undefined ? [] : [[key, from[key]]])));
}

/** The tables whose row changes a function subscribes to: `schema.table`. */
export function subscribedTables(manifest: Manifest): string[] {
  return [...new Set(manifest.on.flatMap((on) => on.table ?? []))];
}

/** The queues whose messages a function subscribes to. */
export function subscribedQueues(manifest: Manifest): string[] {
  return [...new Set(manifest.on.flatMap((on) => on.queue ?? []))];
}
