import { Inject, Injectable } from '@nestjs/common';
import { makesRequest, requestOfDelivery, type KeptResponse, type StartedDelivery } from '#libs/events';
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
  | { readonly status: 'succeeded' }
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
    let maxAttempts = 0;
    try {
      const { functionSlug, eventId } = delivery;
      const deployment = await this.deployments.find(project, functionSlug, { eventId });
      maxAttempts = deployment.manifest.attempts;
      if (makesRequest(delivery.eventName))
        return { maxAttempts, ...(await this.#makeRequest(project, deployment, delivery, signal)) };
      const running = await this.#start(project, deployment, eventCall(project, delivery, signal));
      return { maxAttempts, ...(await outcomeOf(running)) };
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

  /** Calls the function with the request that was kept for it, and keeps its answer. */
  async #makeRequest(
    project: Project,
    deployment: ActiveDeployment,
    delivery: StartedDelivery,
    signal: AbortSignal,
  ) {
    const request = await requestOfDelivery(this.database, delivery.id);
    if (!request)
      return { status: 'failed' as const, error: 'Its request is not kept any more', maxAttempts: 0 };
    const call = requestCall(project, deployment, delivery, request, signal);
    const { response, record } = await this.#start(project, deployment, call);
    let kept: KeptResponse | undefined;
    const read = response.then(async (answer) => {
      const answered = await keepAnswer(answer);
      kept = answered.kept;
      return answered.read;
    });
    return { ...(await outcomeOf({ response: read, record })), response: kept };
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
    depth: delivery.depth,
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

async function outcomeOf(running: RunningInvocation) {
  let retryAfter: number | null = null;
  let answer = '';
  try {
    const response = await running.response;
    retryAfter = retryAfterMs(response.status, response.headers['retry-after'], new Date());
    answer = await beginningOf(response.body);
  } catch (error) {
    const record = (await running.record) ?? undefined;
    const { code, message, headers } = error as AppError;
    if (record || !isBusy.has(code))
      return { status: 'failed' as const, error: record?.error ?? `${code}: ${message}`, record };
    const waitMs = Number(headers?.['Retry-After'] ?? 1) * 1000;
    return { status: 'busy' as const, error: message, retryAfterMs: waitMs };
  }
  const record = (await running.record)!;
  if (record.status === 'succeeded') return { status: 'succeeded' as const, record };
  const error = `${record.error}${answer === '' ? '' : `: ${answer}`}`;
  return { status: 'failed' as const, error, record, retryAfterMs: retryAfter ?? undefined };
}

/** Reads a body to its end and keeps the first `limits.errorBodyBytes`. */
async function beginningOf(body: Buffer | Readable): Promise<string> {
  if (Buffer.isBuffer(body)) return textOf(body);
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    if (sizeBytes < limits.errorBodyBytes) chunks.push(chunk);
    sizeBytes += chunk.length;
  }
  return textOf(Buffer.concat(chunks));
}

function textOf(body: Buffer): string {
  return body.subarray(0, limits.errorBodyBytes).toString('utf8').replaceAll('\0', '');
}
