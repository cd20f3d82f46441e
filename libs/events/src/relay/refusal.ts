import { limits, textNestsDeeper } from '#libs/platform';
import type { Wanted } from './wanted-deliveries.js';

/** Why an event is not carried to a function but kept as a dead letter. */
export interface Refusal {
  readonly reason: string;
  /** The event itself can be kept, so that it may be told all the same later. */
  readonly keepsEvent: boolean;
}

/** An event and whom it is for. */
interface Refusable {
  readonly event: Wanted['event'];
  readonly subscription: Pick<Wanted['subscription'], 'functionSlug'>;
}

/**
 * Null when the event is carried.
 * @param loopOf how a chain of functions went
 */
export async function refusalOf(
  { event, subscription }: Refusable,
  loopOf: (rootId: string) => Promise<string>,
): Promise<Refusal | null> {
  if (textNestsDeeper(event.payload, limits.eventNesting))
    return { reason: `The event's JSON is nested more than ${limits.eventNesting} deep.`, keepsEvent: false };
  if (event.depth > limits.eventDepth) {
    const reason =
      `Functions woke each other ${event.depth} times in a row, up to ${subscription.functionSlug}; ` +
      `the limit is ${limits.eventDepth}: ${await loopOf(event.rootId)}. Filter the subscription so that the function does not react to itself.`;
    return { reason, keepsEvent: true };
  }
  return null;
}
