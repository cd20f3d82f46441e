import type { Sql } from '#libs/platform';
import type { CommittedEvent } from '../catalogue.js';
import { parseConditions } from '../delivery/row-condition.js';
import { asksAboutRow, matches, type Subscription } from '../delivery/subscription.js';

/** An event and a subscription that wants it. */
export interface Wanted {
  readonly event: CommittedEvent;
  readonly subscription: Subscription;
  /** Null: its deliveries have no order. */
  readonly orderingKey: string | null;
}

/**
 * Who wants which of these claimed events, in the order of the events. What depends on the values of a row is asked of
 * the project's database, where the events still are: it compares them without rounding any.
 */
export async function wantedDeliveries(
  project: Sql,
  events: readonly CommittedEvent[],
  subscriptions: readonly Subscription[],
): Promise<Wanted[]> {
  const candidates = events.flatMap((event) =>
    subscriptions
      .filter((subscription) => matches(subscription, event))
      .map((subscription) => ({ event, subscription, orderingKey: null })),
  );
  const asking = candidates.filter(({ subscription }) => dependsOnRow(subscription));
  if (asking.length === 0) return candidates;
  const answers = await askRows(project, asking);
  return candidates.flatMap((candidate) => {
    if (!dependsOnRow(candidate.subscription)) return [candidate];
    const answer = answers.get(keyOf(candidate));
    return answer ? [{ ...candidate, orderingKey: answer.orderingKey }] : [];
  });
}

function dependsOnRow(subscription: Subscription): boolean {
  return asksAboutRow(subscription) || subscription.settings.ordering_key !== undefined;
}

function keyOf({ event, subscription }: Pick<Wanted, 'event' | 'subscription'>): string {
  return `${event.id}/${subscription.id}`;
}

/** Those that are wanted, with their keys. An event that another relay completed meanwhile is not among them. */
async function askRows(
  project: Sql,
  asking: readonly Wanted[],
): Promise<Map<string, { orderingKey: string | null }>> {
  const questions = asking.map(({ event, subscription }) => ({
    event_id: event.id,
    subscription_id: subscription.id,
    columns: subscription.filter.columns ?? [],
    conditions: parseConditions(subscription.filter.when ?? {}).conditions,
    ordering_column: subscription.settings.ordering_key ?? null,
  }));
  const { rows } = await project.query<{ key: string; orderingKey: string | null }>(
    `select q.event_id || '/' || q.subscription_id as key,
            left(coalesce(nullif(o.payload -> 'record', 'null'), o.payload -> 'old_record') ->> q.ordering_column, 200)
              as "orderingKey"
     from jsonb_to_recordset($1::jsonb)
         as q (event_id uuid, subscription_id uuid, columns text[], conditions jsonb, ordering_column text)
       join galley.outbox o on o.id = q.event_id
     where galley.admits(o.payload, q.columns, q.conditions)`,
    [JSON.stringify(questions)],
  );
  return new Map(rows.map(({ key, orderingKey }) => [key, { orderingKey }]));
}
