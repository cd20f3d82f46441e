import { limits, textNestsDeeper } from '#libs/platform';
import type { CommittedEvent } from '../catalogue.js';
import type { Subscription } from '../delivery/subscription.js';

/** Why an event is not carried to a function but kept as a dead letter. */
export interface Refusal {
  readonly reason: string;
  /** The event itself can be kept, so that it may be told all the same later. */
  readonly keepsEvent: boolean;
}

/** Null when the event is carried. */
export function refusalOf(event: CommittedEvent, subscription: Subscription): Refusal | null {
  if (textNestsDeeper(event.payload, limits.eventNesting))
    return { reason: `The event's JSON is nested more than ${limits.eventNesting} deep.`, keepsEvent: false };
  if (event.depth > limits.eventDepth) {
    const reason =
      `Functions woke each other ${event.depth} times in a row, up to ${subscription.functionSlug}; ` +
      `the limit is ${limits.eventDepth}. Filter the subscription so that the function does not react to itself.`;
    return { reason, keepsEvent: true };
  }
  return null;
}
