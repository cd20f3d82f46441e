import { makesRequest, requestOfDelivery, type StartedDelivery } from '#libs/events';
import { retryAfterMs, type EventOutcome } from '#libs/functions';
import { AppError, type PlatformDatabase, type Project } from '#libs/platform';
import { limits, type Answer, type SendRequest } from '#libs/webhooks';

/** What making deliveries to URLs needs. */
export interface SendContext {
  readonly database: PlatformDatabase;
  readonly sendRequest: SendRequest;
}

/** Makes a delivery to what is not a function. */
export async function sendElsewhere(
  context: SendContext,
  _project: Project,
  delivery: StartedDelivery,
  signal: AbortSignal,
): Promise<EventOutcome> {
  if (makesRequest(delivery.eventName)) return makeRequest(context, delivery, signal);
  return { status: 'failed', error: `There is no ${delivery.functionSlug}`, maxAttempts: 0 };
}

/** The request of a database trigger. */
async function makeRequest(
  { database, sendRequest }: SendContext,
  { id }: StartedDelivery,
  signal: AbortSignal,
): Promise<EventOutcome> {
  const request = await requestOfDelivery(database, id);
  if (!request) return { status: 'failed', error: 'Its request is not kept any more', maxAttempts: 0 };
  const { method, headers, body } = request;
  const timeoutMs = Math.min(Math.max(request.timeoutMs ?? limits.timeoutMs, 1), limits.timeoutMs);
  const url = new URL(request.target);
  const sending = sendRequest.send({ method, url, headers, body, timeoutMs }, signal);
  return { maxAttempts: limits.requestAttempts, ...(await outcomeOf(sending)) };
}

/** Anything but 2xx is tried again, as with functions. */
async function outcomeOf(sending: Promise<Answer>) {
  try {
    const { status, headers, beginning } = await sending;
    if (status >= 200 && status < 300) return { status: 'succeeded' as const };
    const waitMs = retryAfterMs(status, headers['retry-after'], new Date()) ?? undefined;
    return { status: 'failed' as const, error: answered(status, beginning), retryAfterMs: waitMs };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { status: 'failed' as const, error: `${error.code}: ${error.message}` };
  }
}

function answered(status: number, beginning: Buffer): string {
  const redirect = status >= 300 && status < 400 ? ', and redirects are not followed' : '';
  const text = beginning.subarray(0, limits.errorBodyBytes).toString('utf8').replaceAll('\0', '');
  return `It answered ${status}${redirect}${text === '' ? '' : `: ${text}`}`;
}
