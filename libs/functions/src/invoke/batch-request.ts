import type { StartedDelivery } from '#libs/events';
import type { Project } from '#libs/platform';
import { z } from 'zod';
import { limits } from '../limits.js';
import { eventAttributes, eventBody, platformHeaders } from './event-request.js';

/** Events as a JSON array (CloudEvents JSON format 1.0 §4, HTTP binding §3.3): each with its body as `data`. */
export function batchBody(project: Project, deliveries: readonly StartedDelivery[]): string {
  const events = deliveries.map((delivery) => {
    const head = JSON.stringify(eventAttributes(project, delivery));
    // The body goes in as the text that it is, so that its numbers stay what they were.
    return `${head.slice(0, -1)},"data":${eventBody(delivery.eventName, delivery.payload)}}`;
  });
  return `[${events.join(',')}]`;
}

/** @param leader whose try the batch is */
export function batchHeaders(project: Project, leader: StartedDelivery): Record<string, string> {
  return {
    ...platformHeaders(project),
    'content-type': 'application/cloudevents-batch+json',
    'idempotency-key': leader.id,
  };
}

const answerSchema = z.object({
  batchItemFailures: z.array(z.object({ itemIdentifier: z.string() })).nullish(),
});

/**
 * Which events of a batch a function says that failed: `{"batchItemFailures": [{"itemIdentifier": <event id>}]}`, as
 * Lambda functions do. What says nothing of the kind means that none did; what names something else cannot be trusted.
 * @returns ids of events; or why the whole batch failed
 */
export function failuresOf(answer: string, eventIds: readonly string[]): ReadonlySet<string> | string {
  if (Buffer.byteLength(answer) >= limits.batchAnswerBytes)
    return `The answer has ${limits.batchAnswerBytes} bytes or more: too many to tell what failed`;
  const json = parsed(answer);
  if (typeof json !== 'object' || json === null || !('batchItemFailures' in json)) return new Set();
  const { data } = answerSchema.safeParse(json);
  if (!data) return 'The answer has batchItemFailures that are not [{ "itemIdentifier": "<id>" }]';
  const named = (data.batchItemFailures ?? []).map(({ itemIdentifier }) => itemIdentifier);
  const unknown = named.find((id) => !eventIds.includes(id));
  return unknown === undefined ? new Set(named) : `The answer names "${unknown}", which is not in the batch`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
