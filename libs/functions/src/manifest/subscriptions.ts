import { derivedId } from '#libs/platform';
import type { Manifest } from './manifest.js';

/** One row of the platform's `subscriptions`. */
export interface Subscription {
  readonly id: string;
  readonly event: string;
  /** Object events: `bucket`, `prefix`, both optional. Row events: `table`, as `schema.table`. Messages: `queue`. */
  readonly filter: Readonly<Record<string, string>>;
}

/** The events that wake a function. The same event with the same filter keeps its id over all deployments. */
export function subscriptionsOf(projectRef: string, slug: string, manifest: Manifest): Subscription[] {
  const byId = new Map<string, Subscription>();
  for (const on of manifest.on) {
    // Key order is fixed here, so that equal filters have one text and one id.
    const filter = Object.fromEntries(
      (['bucket', 'prefix', 'table', 'queue'] as const).flatMap((key) =>
        on[key] === undefined ? [] : [[key, on[key]]],
      ),
    );
    const id = derivedId(projectRef, slug, on.event, JSON.stringify(filter));
    byId.set(id, { id, event: on.event, filter });
  }
  return [...byId.values()];
}

/** The tables whose row changes a function subscribes to: `schema.table`. */
export function subscribedTables(manifest: Manifest): string[] {
  return [...new Set(manifest.on.flatMap((on) => on.table ?? []))];
}

/** The queues whose messages a function subscribes to. */
export function subscribedQueues(manifest: Manifest): string[] {
  return [...new Set(manifest.on.flatMap((on) => on.queue ?? []))];
}
