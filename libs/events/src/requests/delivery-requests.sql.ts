import { removeInBatches, type Project, type Sql } from '#libs/platform';

/** Deliveries that make a request of their own, by the name of their event. */
export const requestEvents = {
  /** A function was called with `Prefer: respond-async`. */
  call: 'http.call',
  /** A trigger of `supabase_functions.http_request` fired. */
  trigger: 'http.request',
} as const;

/** Whether a delivery of this event makes a request of its own. */
export function makesRequest(eventName: string): boolean {
  return eventName === requestEvents.call || eventName === requestEvents.trigger;
}

/** Names are in lower case. */
type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** The HTTP request that a delivery makes. */
export interface DeliveryRequest {
  readonly method: string;
  /** Of a function: path and query as it sees them; else the URL. */
  readonly target: string;
  readonly headers: Headers;
  readonly body: Buffer | null;
  /** What the requester would wait for an answer; null: as long as the target's own limit is. */
  readonly timeoutMs: number | null;
  /** Verified claims that it is made with, as JSON text; null: those that its headers show, if any. */
  readonly claims: string | null;
}

export interface NewDeliveryRequest extends DeliveryRequest {
  readonly deliveryId: string;
  readonly projectRef: string;
  /** Who may ask what became of it; null: only who manages the project. */
  readonly caller: string | null;
  readonly idempotencyId: string | null;
  /** SHA-256 of the request; null where nobody compares it. */
  readonly fingerprint: Buffer | null;
}

/** What the target answered last. */
export interface KeptResponse {
  readonly status: number;
  readonly headers: Headers;
  /** Null when it was too large to be kept. */
  readonly body: Buffer | null;
}

/**
 * Records requests of one project; one that is recorded already stays as it is. To be committed with their deliveries, or
 * before. Their headers are sealed: what triggers send are keys, as often as not.
 */
export async function insertRequests(
  sql: Sql,
  project: Project,
  requests: readonly NewDeliveryRequest[],
): Promise<void> {
  if (requests.length === 0) return;
  await sql.query(
    `insert into delivery_requests (delivery_id, project_ref, method, target, headers, body, timeout_ms, caller,
                                    claims, idempotency_id, fingerprint)
     select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[]::jsonb[], $6::bytea[],
                          $7::integer[], $8::text[], $9::text[], $10::uuid[], $11::bytea[])
     on conflict (delivery_id) do nothing`,
    [
      requests.map((r) => r.deliveryId),
      requests.map((r) => r.projectRef),
      requests.map((r) => r.method),
      requests.map((r) => r.target),
      requests.map((r) => JSON.stringify(sealHeaders(project, r.headers))),
      requests.map((r) => r.body),
      requests.map((r) => r.timeoutMs),
      requests.map((r) => r.caller),
      requests.map((r) => r.claims),
      requests.map((r) => r.idempotencyId),
      requests.map((r) => r.fingerprint),
    ],
  );
}

/** Undefined when it is not kept any more. */
export async function requestOfDelivery(
  sql: Sql,
  project: Project,
  deliveryId: string,
): Promise<DeliveryRequest | undefined> {
  const { rows } = await sql.query<DeliveryRequest & { headers: string | Headers }>(
    `select method, target, headers, body, timeout_ms as "timeoutMs", claims
     from delivery_requests where delivery_id = $1`,
    [deliveryId],
  );
  const [row] = rows;
  return row && { ...row, headers: openHeaders(project, row.headers) };
}

const contextOf = ({ ref }: Project) => `headers of requests of ${ref}`;

function sealHeaders(project: Project, headers: Headers): string {
  return project.sealer.seal(JSON.stringify(headers), contextOf(project)).toString('base64');
}

/** @param kept an object: they were kept when headers were not sealed yet */
function openHeaders(project: Project, kept: string | Headers): Headers {
  if (typeof kept !== 'string') return kept;
  return JSON.parse(project.sealer.open(Buffer.from(kept, 'base64'), contextOf(project))) as Headers;
}

export async function recordResponse(sql: Sql, deliveryId: string, response: KeptResponse): Promise<void> {
  await sql.query(
    `update delivery_requests set response_status = $2, response_headers = $3, response_body = $4
     where delivery_id = $1`,
    [deliveryId, response.status, JSON.stringify(response.headers), response.body],
  );
}

/** How many requests one statement removes. */
const sweptAtOnce = 1_000;

/** Removes what was requested and answered by deliveries that ended so long ago. Returns how many those were. */
export function sweepRequests(sql: Sql, projectRef: string, keptMs: number): Promise<number> {
  return removeInBatches(
    sql,
    sweptAtOnce,
    `delete from delivery_requests where delivery_id in (
       select r.delivery_id from delivery_requests r left join deliveries d on d.id = r.delivery_id
       where r.project_ref = $1 and r.created_at < now() - make_interval(secs => $2::float8 / 1000)
         and (d.id is null or d.finished_at < now() - make_interval(secs => $2::float8 / 1000))
       limit $3)`,
    [projectRef, keptMs, sweptAtOnce],
  );
}
