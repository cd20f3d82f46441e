import type { DeliveryRequest, KeptResponse, StartedDelivery } from '#libs/events';
import type { Project } from '#libs/platform';
import type { Readable } from 'node:stream';
import { Cancellation } from '../cancellation.js';
import type { InvocationCall } from '../invoke/invocation-call.js';
import type { ActiveDeployment } from '../invoke/known-deployments.js';
import { limits } from '../limits.js';
import type { InvocationResponse } from '../runtime/function-runtime.js';
import { shownHeaders } from './kept-request.js';

/** A kept request as a call of its function. */
export function requestCall(
  project: Project,
  { manifest }: ActiveDeployment,
  delivery: StartedDelivery,
  request: DeliveryRequest,
  signal: AbortSignal,
): InvocationCall {
  const lifetimeSeconds = Math.ceil((limits.instanceWaitMs + manifest.timeout_ms) / 1000) + 1;
  const api = new URL(project.apiUrl);
  return {
    invocationId: delivery.invocationId,
    slug: delivery.functionSlug,
    request: {
      method: request.method,
      path: request.target,
      headers: {
        host: api.host,
        'x-forwarded-proto': api.protocol.slice(0, -1),
        ...shownHeaders(project, manifest, request, lifetimeSeconds),
        'x-galley-attempt': String(delivery.attempt),
      },
      body: request.body,
      cancellation: Cancellation.of(signal),
    },
    trigger: { kind: 'event', deliveryId: delivery.id, attempt: delivery.attempt, isRequest: true },
    requestId: delivery.requestId,
    rootId: delivery.rootId,
    depth: delivery.depth,
  };
}

/**
 * Reads an answer to its end and keeps it, as far as `limits.keptAnswerBytes` go.
 * @returns the answer with what was read of its body, and what is to be kept
 */
export async function keepAnswer(
  answer: InvocationResponse,
): Promise<{ read: InvocationResponse; kept: KeptResponse }> {
  const { bytes, isWhole } = await readWithin(answer.body, limits.keptAnswerBytes);
  const { status, headers } = answer;
  return { read: { ...answer, body: bytes }, kept: { status, headers, body: isWhole ? bytes : null } };
}

async function readWithin(
  body: Buffer | Readable,
  maxBytes: number,
): Promise<{ bytes: Buffer; isWhole: boolean }> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of Buffer.isBuffer(body) ? [body] : (body as AsyncIterable<Buffer>)) {
    if (sizeBytes < maxBytes) chunks.push(chunk.subarray(0, maxBytes - sizeBytes));
    sizeBytes += chunk.length;
  }
  return { bytes: Buffer.concat(chunks), isWhole: sizeBytes <= maxBytes };
}
