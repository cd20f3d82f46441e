import { derivedId, type Project } from '#libs/platform';
import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { CommittedEvent, RequestedCall } from '../catalogue.js';
import type { NewDelivery } from '../delivery/deliveries.sql.js';
import { urlTarget } from '../delivery/targets.js';
import { requestEvents, type NewDeliveryRequest } from '../requests/delivery-requests.sql.js';

/** Where a target is not even that. */
const nowhere = 'url.invalid';

/**
 * The delivery that an event of `supabase_functions.http_request` asks for, and its request; one that cannot be made is
 * refused. A URL of this project's functions leads to the function, any other to its host.
 */
export function requestedDelivery(
  project: Project,
  event: CommittedEvent,
  asked: RequestedCall,
): { delivery: NewDelivery; request: NewDeliveryRequest } {
  const url = urlOf(asked);
  const own = url && ownFunction(project, url);
  const functionSlug = own?.slug ?? (url ? urlTarget(url) : nowhere);
  const id = derivedId(event.id, requestEvents.trigger);
  const { schema, table } = event.subject;
  const delivery: NewDelivery = {
    id,
    projectRef: project.ref,
    subscriptionId: derivedId(requestEvents.trigger, project.ref, functionSlug),
    functionSlug,
    eventId: event.id,
    eventName: requestEvents.trigger,
    payload: JSON.stringify({ method: asked.method, schema, table }),
    requestId: event.requestId,
    depth: event.depth,
    occurredAt: event.occurredAt,
    refusal: problemOf(asked, url),
    rootId: event.rootId,
  };
  const request: NewDeliveryRequest = {
    deliveryId: id,
    projectRef: project.ref,
    method: asked.method,
    target: own?.path ?? url?.href ?? '',
    headers: headersOf(asked),
    body: asked.method === 'GET' ? null : Buffer.from(event.payload),
    timeoutMs: asked.timeout_ms,
    caller: null,
    claims: null,
    idempotencyId: null,
    fingerprint: null,
  };
  return { delivery, request };
}

function urlOf({ url, params }: RequestedCall): URL | undefined {
  if (!URL.canParse(url)) return undefined;
  const parsed = new URL(url);
  for (const [name, value] of Object.entries(params)) parsed.searchParams.append(name, textOf(value));
  return parsed;
}

function headersOf({ headers }: RequestedCall): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), textOf(value)]),
  );
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function problemOf(asked: RequestedCall, url: URL | undefined): string | null {
  if (!url || !/^https?:$/.test(url.protocol)) return 'The URL of the trigger is not one of http or https.';
  try {
    for (const [name, value] of Object.entries(headersOf(asked))) {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    }
  } catch (error) {
    return `The headers of the trigger are not valid: ${(error as Error).message}.`;
  }
  return null;
}

/** How Supabase's stacks call their own gateway from inside a container. */
const gatewayHosts: ReadonlySet<string> = new Set(['kong:8000', 'api.supabase.internal:8000']);
/** This machine, from itself and from its containers. */
const hereNames: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', 'host.docker.internal']);

/** The function that a URL leads to if it is this project's own, and path and query as the function sees them. */
function ownFunction({ apiUrl }: Project, url: URL): { slug: string; path: string } | undefined {
  const match = /^\/functions\/v1\/([A-Za-z][\w-]*)(\/.*)?$/.exec(url.pathname);
  if (!match || !leadsHere(new URL(apiUrl), url)) return undefined;
  const [, slug, rest = ''] = match;
  return { slug: slug!, path: `/${slug}${rest}${url.search}` };
}

function leadsHere(api: URL, url: URL): boolean {
  const isHere = hereNames.has(api.hostname) && hereNames.has(url.hostname) && api.port === url.port;
  return url.origin === api.origin || isHere || gatewayHosts.has(url.host);
}
