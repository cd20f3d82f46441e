import { Inject, Injectable } from '@nestjs/common';
import { AppError, CONFIG, type Config, type Project } from '#libs/platform';
import type { InvocationRecord } from '#libs/usage';
import { finished } from 'node:stream/promises';
import { InstancePool, type PoolOptions, type StartKind } from '../instances/instance-pool.js';
import { limits } from '../limits.js';
import type { Manifest } from '../manifest/manifest.js';
import type { FunctionInstance, InstanceUsage, InvocationResponse } from '../runtime/function-runtime.js';
import { InstanceSpecs, memoryBytes } from './instance-specs.js';
import type { InvocationCall } from './invocation-call.js';
import type { ActiveDeployment } from './known-deployments.js';
import { LiveInvocations } from './live-invocations.js';

/** An invocation under way. */
export interface RunningInvocation {
  /** The function's answer; rejects with AppError when there is none. Its body must be read or destroyed. */
  readonly response: Promise<InvocationResponse>;
  /**
   * Resolves when the invocation has ended, that is with the last byte of its answer; never rejects. Null when it
   * did not begin, because no instance was free or nobody waited for it any more.
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
  httpStatus: number | null;
}

/** Runs calls on instances, each with a token of its own that dies with it, and measures them. */
@Injectable()
export class RunInvocation {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly pool: InstancePool,
    private readonly specs: InstanceSpecs,
    private readonly live: LiveInvocations,
  ) {}

  start(project: Project, deployment: ActiveDeployment, call: InvocationCall): RunningInvocation {
    let record!: RunningInvocation['record'];
    const response = new Promise<InvocationResponse>((resolve, reject) => {
      record = this.live.during(project, call.invocationId, async () => {
        const { observed, error } = await this.#run(project, deployment, call, resolve);
        if (error !== undefined) reject(explained(error, call, observed));
        return recordOf(project, deployment, call, observed, error);
      });
    });
    // A caller may want the record alone; it tells of the failure, too.
    response.catch(() => {});
    return { response, record };
  }

  /** Resolves with the end of the invocation, however it ends. */
  async #run(
    project: Project,
    deployment: ActiveDeployment,
    call: InvocationCall,
    onAnswer: (response: InvocationResponse) => void,
  ): Promise<{ observed: Observed | undefined; error: unknown }> {
    let observed: Observed | undefined;
    const { signal } = call.request;
    const cancel = new AbortController();
    const onGone = () => {
      if (!observed || call.trigger.kind === 'event') cancel.abort(gone());
    };
    if (signal.aborted) onGone();
    signal.addEventListener('abort', onGone);
    try {
      await this.pool.withInstance(
        `${deployment.id} ${deployment.secretsVersion}`,
        () => this.specs.of(project, deployment),
        this.#poolOptions(deployment.manifest),
        cancel.signal,
        async (instance, start) => {
          observed = observe(instance, start);
          const response = await instance.invoke(await requestOf(project, deployment, call));
          observed.httpStatus = response.status;
          onAnswer(response);
          await finished(response.body);
        },
      );
      return { observed, error: undefined };
    } catch (error) {
      return { observed, error };
    } finally {
      signal.removeEventListener('abort', onGone);
    }
  }

  #poolOptions(manifest: Manifest): PoolOptions {
    return {
      maxInstances: manifest.max_instances,
      concurrencyPerInstance: manifest.concurrency,
      idleMs: this.config.functions.instanceIdleMs,
      queueLimit: limits.waitingCalls,
      waitTimeoutMs: limits.instanceWaitMs,
      wallTimeMs: manifest.timeout_ms,
    };
  }
}

function observe(instance: FunctionInstance, start: StartKind): Observed {
  return {
    instance,
    start,
    startedAt: new Date(),
    startedMs: performance.now(),
    usage: instance.startMeter(),
    httpStatus: null,
  };
}

/** The request as the function gets it, with the invocation's token. */
async function requestOf(project: Project, deployment: ActiveDeployment, call: InvocationCall) {
  const { manifest, role, slug } = deployment;
  const claims = {
    invocation_id: call.invocationId,
    function: slug,
    depth: call.depth + 1,
    rpc: manifest.permissions.rpc,
  };
  const token = project.tokens.sign(
    { role, galley_function: claims },
    Math.ceil(manifest.timeout_ms / 1000) + 1,
  );
  const { method, path, headers, body, signal } = call.request;
  const ownHeaders =
    // A person's token stays where functions look for it; an event has nobody else to act for.
    call.trigger.kind === 'http' ? { 'x-galley-token': token } : { authorization: `Bearer ${token}` };
  return {
    invocationId: call.invocationId,
    method,
    path,
    headers: { ...headers, 'x-request-id': call.requestId, ...ownHeaders },
    body,
    signal,
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
  const problem = problemOf(trigger.kind, httpStatus, explained(error, call, observed));
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
  };
}

/** An event is handled when the function answers 2xx; a client may well be answered that its request was wrong. */
function problemOf(trigger: 'http' | 'event', httpStatus: number | null, error: unknown): string | null {
  if (error instanceof AppError) return `${error.code}: ${error.message}`;
  if (error !== undefined) return 'The answer was broken off';
  const isWell =
    httpStatus !== null && (trigger === 'event' ? httpStatus >= 200 && httpStatus < 300 : httpStatus < 500);
  return isWell ? null : `The function answered ${httpStatus}`;
}

/** The error by what caused it; time that ran out is told apart from memory that did. */
function explained(error: unknown, call: InvocationCall, observed: Observed | undefined): unknown {
  if (error === undefined) return undefined;
  if (call.request.signal.aborted) return gone();
  if (observed?.instance.exit?.reason !== 'wall-time') return error;
  return new AppError({
    code: 'IDLE_TIMEOUT',
    status: 504,
    message: 'The function did not finish within its time limit',
    cause: error,
  });
}

function gone(): AppError {
  return new AppError({ code: 'CLIENT_GONE', status: 499, message: 'Nobody waits for the answer any more' });
}
