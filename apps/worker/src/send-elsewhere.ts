import { makesRequest, requestOfDelivery, webhookOfTarget, type StartedDelivery } from '#libs/events';
import { eventBody, eventHeaders, retryAfterMs, type EventOutcome } from '#libs/functions';
import { AppError, type PlatformDatabase, type Project } from '#libs/platform';
import { limits, type Answer, type SendRequest, type TellWebhook, type Webhooks } from '#libs/webhooks';

/** What making deliveries to URLs needs. */
export interface SendContext {
  readonly database: PlatformDatabase;
  readonly sendRequest: SendRequest;
  readonly tellWebhook: TellWebhook;
  readonly webhooks: Webhooks;
}

/** Makes a delivery to what is not a function: a webhook, or the URL that a database trigger named. */
export async function sendElsewhere(
  context: SendContext,
  project: Project,
  delivery: StartedDelivery,
  signal: AbortSignal,
): Promise<EventOutcome> {
  const name = webhookOfTarget(delivery.functionSlug);
  if (name !== undefined) return tellOfEvent(context, project, name, delivery, signal);
  if (makesRequest(delivery.eventName)) return makeRequest(context, project, delivery, signal);
  return givenUp(`There is no ${delivery.functionSlug}`);
}

/** The headers of functions' events that tell where a function is. */
const ofFunctionsAlone: ReadonlySet<string> = new Set(['host', 'x-forwarded-proto']);

async function tellOfEvent(
  { webhooks, tellWebhook }: SendContext,
  project: Project,
  name: string,
  delivery: StartedDelivery,
  signal: AbortSignal,
): Promise<EventOutcome> {
  const webhook = await webhooks.find(project, name);
  if (!webhook) return givenUp(`There is no webhook ${name}`);
  if (webhook.disabledReason !== null) return givenUp(`The webhook is disabled: ${webhook.disabledReason}`);
  const headers = Object.entries(eventHeaders(project, delivery)).filter(
    ([header]) => !ofFunctionsAlone.has(header),
  );
  const body = Buffer.from(eventBody(delivery.eventName, delivery.payload));
  const message = { id: delivery.id, headers: Object.fromEntries(headers), body };
  const telling = tellWebhook.tell(project, webhook, message, signal);
  const outcome = await outcomeOf(telling);
  const isGone = outcome.status === 'failed' && outcome.httpStatus === 410;
  return { maxAttempts: isGone ? 0 : webhook.attempts, ...outcome };
}

async function makeRequest(
  { database, sendRequest }: SendContext,
  project: Project,
  { id }: StartedDelivery,
  signal: AbortSignal,
): Promise<EventOutcome> {
  const request = await requestOfDelivery(database, project, id);
  if (!request) return givenUp('Its request is not kept any more');
  const { method, headers, body } = request;
  const timeoutMs = Math.min(Math.max(request.timeoutMs ?? limits.timeoutMs, 1), limits.timeoutMs);
  const url = new URL(request.target);
  const sending = sendRequest.send({ method, url, headers, body, timeoutMs }, signal);
  return { maxAttempts: limits.requestAttempts, ...(await outcomeOf(sending)) };
}

function givenUp(error: string): EventOutcome {
  return { status: 'failed', error, maxAttempts: 0 };
}

/** Anything but 2xx is tried again, as with functions. */
async function outcomeOf(sending: Promise<Answer>) {
  try {
    const { status, headers, beginning } = await sending;
    if (status >= 200 && status < 300) return { status: 'succeeded' as const, answer: '' };
    const waitMs = retryAfterMs(status, headers['retry-after'], new Date()) ?? undefined;
    const error = answered(status, beginning);
    return { status: 'failed' as const, error, httpStatus: status, retryAfterMs: waitMs };
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
