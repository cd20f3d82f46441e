import { limits, textNestsDeeper } from '#libs/platform';
import type { CommittedEvent } from '../catalogue.js';
import type { Subscription } from '../delivery/subscription.js';

/** Why an event is not carried to a function but kept as a dead letter; null when it is carried. */
export function refusalOf(
  event: CommittedEvent,
  subscription: Pick<Subscription, 'functionSlug'>,
): string | null {
  if (event.depth > limits.eventDepth) {
    return (
      `Functions woke each other ${event.depth} times in a row, up to ${subscription.functionSlug}; ` +
      `the limit is ${limits.eventDepth}. Filter the subscription so that the function does not react to itself.`
    );
  }
  if (textNestsDeeper(event.payload, limits.eventNesting)) {
    return `The event's JSON is nested more than ${limits.eventNesting} deep.`;
  }
  return null;
}
