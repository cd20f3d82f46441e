import { Injectable } from '@nestjs/common';
import { AppError, type Project } from '#libs/platform';
import type { InvocationRecord } from '#libs/usage';
import { finished } from 'node:stream/promises';
import { setImmediate as turnOfEvents } from 'node:timers/promises';
import { Cancellation } from '../cancellation.js';
import { InstancePool, type StartKind } from '../instances/instance-pool.js';
import type {
  FunctionInstance,
  InstanceUsage,
  InvocationRequest,
  InvocationResponse,
} from '../runtime/function-runtime.js';
import { Traffic } from '../runtime/traffic.js';
import { InstanceSpecs, memoryBytes } from './instance-specs.js';
import type { InvocationCall } from './invocation-call.js';
import type { ActiveDeployment } from './known-deployments.js';
import type { Manifest } from '../manifest/manifest.js';
import { LiveInvocations } from './live-invocations.js';

/** An invocation under way. */
export interface RunningInvocation {
  /** The function's answer; rejects with AppError when there is none. Its body must be read or destroyed. */
  readonly response: Promise<InvocationResponse>;
  /**
   * Resolves when the invocation has ended, that is with the last byte of its answer and of the work that it gave to
   * `EdgeRuntime.waitUntil`; never rejects. Null when it did not begin, because no instance was free or nobody waited
   * for it any more.
   */
  readonly record: Promise<InvocationRecord | null>;
}

/** An invocation as it is seen from outside the sandbox, from the moment it has an instance. */
interface Observed {
  readonly instance: FunctionInstance;
  readonly start: StartKind;
  readonly startedAt: Date;
  /** Of the monotonic clock. */
  readonly startedMs: number;
  readonly usage: () => InstanceUsage;
  readonly traffic: Traffic;
  httpStatus: number | null;
  /** Its answer is complete. */
  isAnswered: boolean;
}

/** Whoever waits for the function's answer. */
interface Waiting {
  resolve(response: InvocationResponse): void;
  reject(error: unknown): void;
}

/**
 * Runs calls on instances, each with a token of its own that dies with its answer, and measures them.
 *
 * An invocation is charged with all that its instance uses until its answer is complete, or its function is done with
 * a call that broke off; and then with the background work that it announced before, until that ends or another
 * invocation begins on the instance, which is charged from there on. None begins while that work keeps the instance
 * busy, unless it waited in line already. Invocations that run at once share what their instance uses in equal parts.
 * What a function uses in timers and threads that it leaves behind unannounced no invocation pays, and neither what its
 * instances need to start: both are recorded apart, as the deployment's (`background_usage`), so that all records
 * together tell what its processes used. An instance that is found busy with such things is killed.
 */
@Injectable()
export class RunInvocation {
  constructor(
    private readonly pool: InstancePool,
    private readonly specs: InstanceSpecs,
    private readonly live: LiveInvocations,
  ) {}

  start(project: Project, deployment: ActiveDeployment, call: InvocationCall): RunningInvocation {
    let record!: RunningInvocation['record'];
    const response = new Promise<InvocationResponse>((resolve, reject) => {
      const waiting = { resolve, reject: (error: unknown) => reject(explained(error, call)) };
      const run = () => this.#run(project, deployment, call, waiting);
      record = this.live.during(project, call.invocationId, run).then(async ({ observed, error }) => {
        if (observed) await backgroundEnded(observed.instance, call);
        return recordOf(project, deployment, call, observed, error);
      });
    });
    // A caller may want the record alone; it tells of the failure, too.
    response.catch(() => {});
    return { response, record };
  }

  /** Resolves with the end of the invocation save its background work, however it ends. */
  async #run(
    project: Project,
    deployment: ActiveDeployment,
    call: InvocationCall,
    waiting: Waiting,
  ): Promise<{ observed: Observed | undefined; error: unknown }> {
    let observed: Observed | undefined;
    const work = new Cancellation();
    // Of the instance that is being asked: of each try its own.
    let asked = new Cancellation();
    const ignore = call.request.cancellation.onCancel(() => {
      if (!observed || call.trigger.kind === 'event') work.cancel(gone());
      asked.cancel(gone());
    });
    try {
      const { key, makeSpec, options } = this.specs.plan(project, deployment);
      const timed = { ...options, wallTimeMs: wallTimeMs(deployment.manifest, call) };
      await this.pool.withInstance(key, makeSpec, timed, work, async (instance, start, ended) => {
        // One that could not be reached did nothing for this call.
        observed?.usage();
        observed = observe(instance, start);
        const own = (asked = new Cancellation());
        if (call.request.cancellation.isCancelled) own.cancel(gone());
        ended.onCancel((reason) => own.cancel(reason));
        const request = requestOf(project, deployment, call, {
          cancellation: own,
          traffic: observed.traffic,
        });
        await converse(observed, request, waiting);
        if (deployment.manifest.policy !== 'per_worker') await restOf(observed);
      });
      return { observed, error: undefined };
    } catch (error) {
      // What ends background work takes nothing from the answer.
      if (observed?.isAnswered) return { observed, error: undefined };
      waiting.reject(error);
      return { observed, error: explained(error, call) };
    } finally {
      ignore();
    }
  }
}

/** A WebSocket may stay open for longer than an answer may take. */
function wallTimeMs(manifest: Manifest, call: InvocationCall): number {
  return call.request.isUpgrade ? manifest.websocket_timeout_ms : manifest.timeout_ms;
}

function observe(instance: FunctionInstance, start: StartKind): Observed {
  return {
    instance,
    start,
    startedAt: new Date(),
    startedMs: performance.now(),
    usage: instance.startMeter(),
    traffic: new Traffic(),
    httpStatus: null,
    isAnswered: false,
  };
}

/**
 * Asks the function and waits for the end of its answer. When that breaks off, because the client has gone for
 * instance, whoever waits is told at once, but the work ends only with the function's own: until then it may keep the
 * process busy, and whoever came next would wait and be charged for it.
 */
async function converse(observed: Observed, request: InvocationRequest, waiting: Waiting): Promise<void> {
  const { instance } = observed;
  try {
    const response = await instance.invoke(request);
    observed.httpStatus = response.status;
    waiting.resolve(response);
    if (!Buffer.isBuffer(response.body)) await finished(response.body);
    observed.isAnswered = true;
  } catch (error) {
    // What a process died of is known a moment later.
    if (!instance.stopping) waiting.reject(error);
    await instance.handlerEnded(request.invocationId);
    throw error;
  }
}

/** Where invocations do not meet, the next begins after the background work, which has the wall time of the first. */
async function restOf({ instance }: Observed): Promise<void> {
  // What the function told of it before its answer may be read right after the answer's end.
  await turnOfEvents();
  await instance.backgroundEnded();
}

/** A worker that stops does not wait for it. */
async function backgroundEnded(instance: FunctionInstance, call: InvocationCall): Promise<void> {
  if (call.trigger.kind === 'http') return instance.backgroundEnded();
  await new Promise<void>((resolve) => {
    call.request.cancellation.onCancel(() => resolve());
    void instance.backgroundEnded().then(resolve);
  });
}

/** The request as the function gets it, with the invocation's token. */
function requestOf(
  project: Project,
  deployment: ActiveDeployment,
  call: InvocationCall,
  follow: Required<Pick<InvocationRequest, 'cancellation' | 'traffic'>>,
): InvocationRequest {
  const { manifest, role, slug } = deployment;
  const claims = {
    invocation_id: call.invocationId,
    function: slug,
    depth: call.depth + 1,
    rpc: manifest.permissions.rpc,
    root: call.rootId ?? call.requestId,
  };
  const token = project.tokens.sign(
    { role, galley_function: claims },
    Math.ceil(wallTimeMs(manifest, call) / 1000) + 1,
  );
  const { method, path, headers, body, isUpgrade = false } = call.request;
  const ownHeaders =
    // A person's token stays where functions look for it; an event has nobody else to act for.
    isPlainRequest(call.trigger) ? { 'x-galley-token': token } : { authorization: `Bearer ${token}` };
  return {
    invocationId: call.invocationId,
    method,
    path,
    headers: { ...headers, 'x-request-id': call.requestId, ...ownHeaders },
    body,
    isUpgrade,
    ...follow,
  };
}

function recordOf(
  project: Project,
  deployment: ActiveDeployment,
  call: InvocationCall,
  observed: Observed | undefined,
  error: unknown,
): InvocationRecord | null {
  if (!observed && !(error instanceof AppError && error.code === 'BOOT_ERROR')) return null;
  const { trigger } = call;
  const usage = observed?.usage();
  const httpStatus = observed?.httpStatus ?? null;
  const problem = problemOf(trigger, httpStatus, error);
  return {
    id: call.invocationId,
    projectRef: project.ref,
    functionSlug: deployment.slug,
    deploymentId: deployment.id,
    trigger: trigger.kind,
    deliveryId: trigger.kind === 'event' ? trigger.deliveryId : null,
    attempt: trigger.kind === 'event' ? trigger.attempt : 1,
    requestId: call.requestId,
    start: observed?.start ?? 'cold',
    status: problem === null ? 'succeeded' : 'failed',
    httpStatus,
    error: problem,
    startedAt: observed?.startedAt ?? new Date(),
    wallMs: observed ? performance.now() - observed.startedMs : 0,
    cpuMs: usage?.cpuMs ?? 0,
    peakMemoryBytes: usage?.peakMemoryBytes ?? 0,
    memoryBytes: memoryBytes(deployment.manifest),
    bootMs: observed?.start === 'cold' ? observed.instance.bootMs : null,
    bytesIn: observed?.traffic.bytesIn ?? 0,
    bytesOut: observed?.traffic.bytesOut ?? 0,
  };
}

/** An event is handled when the function answers 2xx; a client may well be answered that its request was wrong. */
function problemOf(
  trigger: InvocationCall['trigger'],
  httpStatus: number | null,
  error: unknown,
): string | null {
  if (error instanceof AppError) return `${error.code}: ${error.message}`;
  if (error !== undefined) return 'The answer was broken off';
  return httpStatus !== null && isWell(trigger, httpStatus) ? null : `The function answered ${httpStatus}`;
}

function isWell(trigger: InvocationCall['trigger'], status: number): boolean {
  if (!isPlainRequest(trigger)) return status >= 200 && status < 300;
  // Who waits for an answer takes these as one; where nobody does, they ask to come again (RFC 9110 §15.5.9, RFC 6585 §4).
  const asksAgain = trigger.kind === 'event' && (status === 408 || status === 429);
  return status < 500 && !asksAgain;
}

function isPlainRequest(trigger: InvocationCall['trigger']): boolean {
  return trigger.kind === 'http' || trigger.isRequest === true;
}

/** What breaks off after the client has gone, breaks off for that. */
function explained(error: unknown, call: InvocationCall): unknown {
  return call.request.cancellation.isCancelled ? gone() : error;
}

function gone(): AppError {
  return new AppError({ code: 'CLIENT_GONE', status: 499, message: 'Nobody waits for the answer any more' });
}
