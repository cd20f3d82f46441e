import { Inject, Injectable } from '@nestjs/common';
import {
  makesRequest,
  requestOfDelivery,
  type EventRate,
  type KeptResponse,
  type StartedDelivery,
} from '#libs/events';
import {
  AppError,
  limits as platformLimits,
  LOGGER,
  PlatformDatabase,
  type Logger,
  type Project,
} from '#libs/platform';
import { BudgetExceeded, Budgets, UsageLedger, type InvocationRecord } from '#libs/usage';
import type { Readable } from 'node:stream';
import { keepAnswer, requestCall } from '../calls/request-invocation.js';
import { Cancellation } from '../cancellation.js';
import { limits } from '../limits.js';
import { FunctionLogs } from '../logs/function-logs.js';
import type { InvocationResponse } from '../runtime/function-runtime.js';
import { ActiveDeployments } from './active-deployments.js';
import { batchBody, batchHeaders, failuresOf } from './batch-request.js';
import { eventBody, eventHeaders, retryAfterMs } from './event-request.js';
import type { InvocationCall } from './invocation-call.js';
import type { ActiveDeployment } from './known-deployments.js';
import { RunInvocation, type RunningInvocation } from './run-invocation.js';

/** What became of one try to deliver an event. */
export type EventOutcome = {
  /** Tries that the function's manifest allows; 0 when there is no such function any more. */
  readonly maxAttempts: number;
  /** To be written together with the delivery's new state. */
  readonly record?: InvocationRecord | undefined;
  /** What it answered, to be kept together with that; of requests alone. */
  readonly response?: KeptResponse | undefined;
  /** How long the function, or the host, asks to wait before the next try. */
  readonly retryAfterMs?: number | undefined;
} & (
  | { readonly status: 'succeeded'; /** Its beginning. */ readonly answer: string }
  | { readonly status: 'failed'; readonly error: string }
  /** Nothing was tried: no instance was free, a budget is used up, or the process is shutting down. */
  | { readonly status: 'busy'; readonly error: string }
);

/** Calls functions: one way in for HTTP and for events, over the same instances and with the same record. */
@Injectable()
export class InvokeFunction {
  constructor(
    private readonly deployments: ActiveDeployments,
    private readonly runInvocation: RunInvocation,
    private readonly ledger: UsageLedger,
    private readonly database: PlatformDatabase,
    private readonly budgets: Budgets,
    private readonly logs: FunctionLogs,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Calls a deployment of a function for an HTTP client. The invocation ends with the answer's body, and is recorded then.
   * @throws AppError `RATE_LIMIT_EXCEEDED`, `BUDGET_EXCEEDED` (429), `WORKER_ERROR` (500), `BOOT_ERROR` (503),
   *   `SHUTTING_DOWN` (503), `IDLE_TIMEOUT` (504), `LOOP_DETECTED` (508), `WORKER_LIMIT` (546)
   */
  async invoke(
    project: Project,
    deployment: ActiveDeployment,
    call: Omit<InvocationCall, 'trigger'>,
  ): Promise<InvocationResponse> {
    const running = await this.#start(project, deployment, { ...call, trigger: { kind: 'http' } });
    void running.record.then((record) => record && this.ledger.addInvocation(record));
    return running.response;
  }

  /**
   * Delivers an event. The record is returned and not written, so that it is committed with the delivery's state.
   * Rejects only when the function could not be looked up, so that nothing can be said of the delivery.
   */
  async invokeForEvent(
    project: Project,
    delivery: StartedDelivery,
    signal: AbortSignal,
  ): Promise<EventOutcome> {
    if (makesRequest(delivery.eventName)) return this.#makeRequest(project, delivery, signal);
    return this.#deliver(project, eventCall(project, delivery, signal), delivery, limits.errorBodyBytes);
  }

  /** Calls the function with the request that was kept for it, and keeps its answer. */
  async #makeRequest(
    project: Project,
    delivery: StartedDelivery,
    signal: AbortSignal,
  ): Promise<EventOutcome> {
    const request = await requestOfDelivery(this.database, project, delivery.id);
    if (!request) return { status: 'failed', error: 'Its request is not kept any more', maxAttempts: 0 };
    let kept: KeptResponse | undefined;
    const call = (deployment: ActiveDeployment) =>
      requestCall(project, deployment, delivery, request, signal);
    const read = async (answer: InvocationResponse) => {
      const answered = await keepAnswer(answer);
      kept = answered.kept;
      return answered.read;
    };
    const outcome = await this.#deliver(project, call, delivery, limits.errorBodyBytes, read);
    return { ...outcome, response: kept };
  }

  /**
   * Delivers several events of one subscription with one call, to the deployment that answers for the first of them.
   * The deliveries that the function says have failed are in `failedEventIds` when the others succeeded.
   */
  async invokeForBatch(
    project: Project,
    deliveries: readonly StartedDelivery[],
    signal: AbortSignal,
  ): Promise<EventOutcome & { readonly failedEventIds: ReadonlySet<string> }> {
    const call = batchCall(project, deliveries, signal);
    const outcome = await this.#deliver(project, call, deliveries[0]!, limits.batchAnswerBytes);
    if (outcome.status !== 'succeeded') return { ...outcome, failedEventIds: new Set() };
    const failures = failuresOf(
      outcome.answer,
      deliveries.map(({ eventId }) => eventId),
    );
    if (typeof failures !== 'string') return { ...outcome, failedEventIds: failures };
    const { maxAttempts, record } = outcome;
    return { status: 'failed', error: failures, maxAttempts, record, failedEventIds: new Set() };
  }

  async #deliver(
    project: Project,
    call: InvocationCall | ((deployment: ActiveDeployment) => InvocationCall),
    { functionSlug, eventId, deploymentNumber }: StartedDelivery,
    answerBytes: number,
    read?: (answer: InvocationResponse) => Promise<InvocationResponse>,
  ): Promise<EventOutcome> {
    let maxAttempts = 0;
    try {
      const number = deploymentNumber ?? undefined;
      const deployment = await this.deployments.find(project, functionSlug, { eventId, number });
      maxAttempts = deployment.manifest.attempts;
      const asked = typeof call === 'function' ? call(deployment) : call;
      const { response, record } = await this.#start(project, deployment, asked);
      const running = { response: read ? response.then(read) : response, record };
      return { maxAttempts, ...(await outcomeOf(running, answerBytes)) };
    } catch (error) {
      if (error instanceof BudgetExceeded) {
        return { status: 'busy', error: error.message, maxAttempts, retryAfterMs: limits.budgetWaitMs };
      }
      if (!(error instanceof AppError)) throw error;
      return { status: 'failed', error: `${error.code}: ${error.message}`, maxAttempts };
    }
  }

  /**
   * How many instances a process may use for events of a function, and how many each runs at once, on average; one of
   * each when there is no such function.
   */
  async eventCapacity(
    project: Project | undefined,
    slug: string,
  ): Promise<{ maxInstances: number; concurrency: number }> {
    const deployments = project ? await this.deployments.answering(project, slug) : [];
    if (deployments.length === 0) return { maxInstances: 1, concurrency: 1 };
    let maxInstances = 0;
    let runs = 0;
    for (const { manifest } of deployments) {
      maxInstances += manifest.max_instances;
      runs += manifest.max_instances * manifest.concurrency;
    }
    return { maxInstances, concurrency: runs / maxInstances };
  }

  /** How many invocations for events may begin in a time; undefined where that is not bounded. */
  async eventRateOf(project: Project | undefined, slug: string): Promise<EventRate | undefined> {
    if (!project) return undefined;
    return (await this.deployments.answering(project, slug))[0]?.manifest.rate;
  }

  async #start(
    project: Project,
    deployment: ActiveDeployment,
    call: InvocationCall,
  ): Promise<RunningInvocation> {
    if (call.depth > platformLimits.eventDepth) {
      throw new AppError({
        code: 'LOOP_DETECTED',
        status: 508,
        message: `Functions called each other ${call.depth} times in a row; the limit is ${platformLimits.eventDepth}`,
      });
    }
    const { ref } = project;
    const admission = this.budgets.admit(ref, deployment.slug);
    if (admission) await admission;
    const running = this.runInvocation.start(project, deployment, call);
    void running.record.then(async (record) => {
      this.budgets.ended(ref, deployment.slug, record);
      if (record?.status === 'failed') await this.#tellFailure(running, record);
    });
    return running;
  }

  async #tellFailure(running: RunningInvocation, record: InvocationRecord): Promise<void> {
    const { projectRef, functionSlug, deploymentId, requestId, id, error } = record;
    // Who delivers an event tells of it, with what comes next.
    if (record.trigger === 'http' && isFault(error)) {
      const origin = { projectRef, functionSlug, deploymentId, invocationId: id };
      this.logs.add({
        ...origin,
        source: 'platform',
        level: 'error',
        message: `failed: ${error}`,
        at: new Date(),
      });
    }
    // What a full disk says, for instance, is for the operator alone.
    const cause = await running.response.then(
      () => undefined,
      (refusal: AppError) => refusal.cause,
    );
    this.logger.warn(
      {
        function: functionSlug,
        requestId,
        invocationId: id,
        error,
        ...(cause !== undefined && { err: cause }),
      },
      'Invocation failed',
    );
  }
}

function eventCall(project: Project, delivery: StartedDelivery, signal: AbortSignal): InvocationCall {
  return {
    invocationId: delivery.invocationId,
    slug: delivery.functionSlug,
    request: {
      method: 'POST',
      path: `/${delivery.functionSlug}`,
      headers: eventHeaders(project, delivery),
      body: Buffer.from(eventBody(delivery.eventName, delivery.payload)),
      cancellation: Cancellation.of(signal),
    },
    trigger: { kind: 'event', deliveryId: delivery.id, attempt: delivery.attempt },
    requestId: delivery.requestId,
    rootId: delivery.rootId,
    depth: delivery.depth,
  };
}

function batchCall(
  project: Project,
  deliveries: readonly StartedDelivery[],
  signal: AbortSignal,
): InvocationCall {
  const [leader] = deliveries as [StartedDelivery];
  const call = eventCall(project, leader, signal);
  return {
    ...call,
    request: {
      ...call.request,
      headers: batchHeaders(project, leader),
      body: Buffer.from(batchBody(project, deliveries)),
    },
    trigger: { kind: 'event', deliveryId: null, attempt: leader.attempt },
    // What it causes is as deep as the deepest of what caused it.
    depth: Math.max(...deliveries.map(({ depth }) => depth)),
  };
}

/** Codes of what was not begun: no instance was free, or this process stops. */
const isBusy: ReadonlySet<string> = new Set(['RATE_LIMIT_EXCEEDED', 'SHUTTING_DOWN', 'CLIENT_GONE']);

/** Whether an invocation failed by the platform's word: not by the function's own answer, nor because its client left. */
function isFault(error: string | null): boolean {
  return error !== null && /^(?!CLIENT_GONE)[A-Z_]+: /.test(error);
}

/** Whether an invocation was refused before it began, so that nothing can be found under its id. */
export function hasNoRecord(refusal: unknown): boolean {
  return refusal instanceof AppError && (isBusy.has(refusal.code) || refusal.code === 'LOOP_DETECTED');
}

async function outcomeOf(running: RunningInvocation, answerBytes: number) {
  let retryAfter: number | null = null;
  let answer = '';
  try {
    const response = await running.response;
    retryAfter = retryAfterMs(response.status, response.headers['retry-after'], new Date());
    answer = await beginningOf(response.body, answerBytes);
  } catch (error) {
    const record = (await running.record) ?? undefined;
    const { code, message, headers } = error as AppError;
    if (record || !isBusy.has(code))
      return { status: 'failed' as const, error: record?.error ?? `${code}: ${message}`, record };
    const waitMs = Number(headers?.['Retry-After'] ?? 1) * 1000;
    return { status: 'busy' as const, error: message, retryAfterMs: waitMs };
  }
  const record = (await running.record)!;
  if (record.status === 'succeeded') return { status: 'succeeded' as const, record, answer };
  const words = answer.slice(0, limits.errorBodyBytes);
  const error = `${record.error}${words === '' ? '' : `: ${words}`}`;
  return {
    status: 'failed' as const,
    error,
    record: { ...record, error },
    retryAfterMs: retryAfter ?? undefined,
  };
}

/** Reads a body to its end and keeps the first `maxBytes`. */
async function beginningOf(body: Buffer | Readable, maxBytes: number): Promise<string> {
  if (Buffer.isBuffer(body)) return textOf(body, maxBytes);
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    if (sizeBytes < maxBytes) chunks.push(chunk);
    sizeBytes += chunk.length;
  }
  return textOf(Buffer.concat(chunks), maxBytes);
}

function textOf(body: Buffer, maxBytes: number): string {
  return body.subarray(0, maxBytes).toString('utf8').replaceAll('\0', '');
}
