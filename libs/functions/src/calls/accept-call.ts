import { Inject, Injectable } from '@nestjs/common';
import {
  insertDeliveries,
  insertRequests,
  JobQueue,
  queueDeliveries,
  requestEvents,
  type NewDelivery,
} from '#libs/events';
import {
  AppError,
  callClaims,
  derivedId,
  limits as platformLimits,
  LOGGER,
  newId,
  PlatformDatabase,
  readBody,
  rootOf,
  upgradeOf,
  type CallClaims,
  type Caller,
  type Logger,
  type Project,
  type Sql,
} from '#libs/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import { forwardedHeaders } from '../http/function-request.js';
import type { ActiveDeployment } from '../invoke/known-deployments.js';
import { limits } from '../limits.js';
import { admitCall } from './admit-call.js';
import { callByIdempotency, forgetOldKey, lockIdempotency, type CallState } from './calls.sql.js';
import { idempotencyKey } from './idempotency-key.js';
import {
  callerName,
  fingerprintHeaders,
  fingerprintOf,
  keptHeaders,
  keptPath,
  mayBeAnybody,
} from './kept-request.js';

/** Whether a client asks to be answered before the function is (RFC 7240 §4.1). A preference: it may be passed over. */
export function prefersAsync({ headers, method, raw }: FastifyRequest): boolean {
  const { prefer } = headers;
  if (prefer === undefined || method === 'OPTIONS' || upgradeOf(raw)) return false;
  return String(prefer)
    .split(',')
    .some((preference) => /^\s*respond-async\s*(;|$)/i.test(preference));
}

/** Keeps calls that are to be answered later. The function is called from its queue, as events call it. */
@Injectable()
export class AcceptCall {
  constructor(
    private readonly database: PlatformDatabase,
    private readonly queue: JobQueue,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Answers 202 once the call is committed.
   * @throws AppError `body_too_large` (413), `invalid_request` (400); `IDEMPOTENCY_KEY_REUSED` (422) for a key that came
   *   with another request, `IDEMPOTENCY_KEY_IN_USE` (409) for one whose request is being accepted;
   *   `RATE_LIMIT_EXCEEDED`, `KEPT_CALLS_EXCEEDED` (429), `LOOP_DETECTED` (508)
   */
  async accept(
    request: FastifyRequest,
    reply: FastifyReply,
    deployment: ActiveDeployment,
    path: string,
  ): Promise<void> {
    const { project } = request.galley;
    refuseLoop(request.galley.caller.depth);
    const key = idempotencyKey(request.headers['idempotency-key']);
    const headers = forwardedHeaders(request, deployment.manifest);
    const stream = request.body as Readable | undefined;
    const body = stream ? await readBody(stream, platformLimits.eventPayloadBytes) : null;
    const call = newCall(request, deployment.slug, headers, keptPath(path), body, key);
    const { id, state } = await this.database.transaction((tx) => keep(tx, project, call));
    if (id === call.delivery.id) await this.#queue(call.delivery);
    await reply
      .status(202)
      .headers({
        'preference-applied': 'respond-async',
        location: `/v1/projects/${project.ref}/calls/${id}`,
        // The function, which else answers browsers itself, was not asked yet.
        'access-control-allow-origin': '*',
        'access-control-expose-headers': 'location, preference-applied, x-request-id',
      })
      .send({ id, state });
  }

  /** It is accepted already: what fails here the workers make up for. */
  async #queue(delivery: NewDelivery): Promise<void> {
    try {
      await queueDeliveries(this.database, this.queue, delivery.projectRef, [delivery]);
    } catch (error) {
      this.logger.warn({ err: error, deliveryId: delivery.id }, 'A call could not be queued; a worker will');
    }
  }
}

type NewCall = ReturnType<typeof newCall>;

function newCall(
  request: FastifyRequest,
  slug: string,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  target: string,
  body: Buffer | null,
  key: string | undefined,
) {
  const { method, galley } = request;
  const { project, requestId, caller } = galley;
  const id = newId();
  const from = callerName(request);
  const anonymous = mayBeAnybody(request);
  // The token of an invocation ends with it, and strangers' tokens are not ours to speak for.
  const isShown = headers['authorization'] !== undefined && !galley.credentialError;
  const delivery: NewDelivery = {
    id,
    projectRef: project.ref,
    subscriptionId: derivedId(requestEvents.call, project.ref, slug),
    functionSlug: slug,
    eventId: id,
    eventName: requestEvents.call,
    payload: JSON.stringify({ method, path: target.split('?')[0] }),
    requestId,
    rootId: rootOf(caller, requestId),
    depth: caller.depth,
    occurredAt: new Date(),
    refusal: null,
  };
  const kept = {
    deliveryId: id,
    projectRef: project.ref,
    method,
    target,
    headers: keptHeaders(headers),
    body,
    timeoutMs: null,
    caller: from,
    claims: isShown && caller.kind !== 'function' ? JSON.stringify(keptClaims(caller, delivery)) : null,
    idempotencyId: key === undefined ? null : derivedId('idempotency', project.ref, slug, from, key),
    fingerprint: fingerprintOf(method, target, fingerprintHeaders(headers, anonymous), body),
  };
  return { delivery, kept, isAnonymous: anonymous };
}

/**
 * A token for a try is signed anew, so it must not make another that outlives it: that would speak for a person who has
 * signed out long ago. Loops are known by it as by the token of an invocation.
 */
function keptClaims({ claims, depth, isKey }: Caller, { rootId }: NewDelivery): Record<string, unknown> {
  const notAfter = callClaims(claims)?.not_after ?? Math.floor((Date.now() + limits.spokenForMs) / 1000);
  const call: CallClaims = { depth: depth + 1, root: rootId ?? '', not_after: notAfter };
  return { ...claims, ...(isKey && { galley_key: true }), galley_call: call };
}

async function keep(tx: Sql, project: Project, { delivery, kept, isAnonymous }: NewCall): Promise<CallState> {
  if (kept.idempotencyId !== null) {
    const known = await callOfKey(tx, kept.idempotencyId);
    if (known) {
      if (known.fingerprint.equals(kept.fingerprint)) return known;
      throw new AppError({
        code: 'IDEMPOTENCY_KEY_REUSED',
        status: 422,
        message: 'The Idempotency-Key came with another request before',
      });
    }
  }
  const { projectRef, functionSlug: slug, depth, rootId = delivery.requestId } = delivery;
  await admitCall(tx, { projectRef, slug, depth, rootId, bodyBytes: kept.body?.length ?? 0, isAnonymous });
  await insertRequests(tx, project, [kept]);
  await insertDeliveries(tx, [delivery]);
  return { id: delivery.id, state: 'queued' };
}

/** The call that the key stands for; from now to the end of the transaction nobody else asks. */
async function callOfKey(tx: Sql, idempotencyId: string) {
  if (!(await lockIdempotency(tx, idempotencyId))) {
    throw new AppError({
      code: 'IDEMPOTENCY_KEY_IN_USE',
      status: 409,
      message: 'A request with this Idempotency-Key is being accepted',
      headers: { 'retry-after': '1' },
    });
  }
  await forgetOldKey(tx, idempotencyId);
  return callByIdempotency(tx, idempotencyId);
}

function refuseLoop(depth: number): void {
  if (depth <= platformLimits.eventDepth) return;
  throw new AppError({
    code: 'LOOP_DETECTED',
    status: 508,
    message: `Functions called each other ${depth} times in a row; the limit is ${platformLimits.eventDepth}`,
  });
}
