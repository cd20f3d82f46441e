import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config, type Project } from '#libs/platform';
import { UsageLedger } from '#libs/usage';
import type { PoolOptions } from '../instances/instance-pool.js';
import { FunctionRuntime } from '../function-runtime.provider.js';
import { limits } from '../limits.js';
import { FunctionLogs } from '../logs/function-logs.js';
import { HostSupport } from '../manifest/host-support.js';
import { allowedHosts } from '../manifest/egress-secrets.js';
import type { Manifest } from '../manifest/manifest.js';
import { bootError } from '../runtime/boot-error.js';
import { lifeOf } from '../logs/instance-life.js';
import { SourceMaps } from '../logs/source-maps.js';
import type { InstanceSpec } from '../runtime/function-runtime.js';
import { ActiveDeployments } from './active-deployments.js';
import { FunctionEnvironment } from './function-environment.js';
import type { ActiveDeployment } from './known-deployments.js';

/** What the pool is to know of a deployment. */
export interface InstancePlan {
  /** Whose instances a call may run on: a changed secret is in the environment of new ones only. */
  readonly key: string;
  makeSpec(): Promise<InstanceSpec>;
  readonly options: PoolOptions;
}

/** Says of a deployment what its instances are made of and may do. */
@Injectable()
export class InstanceSpecs {
  constructor(
    private readonly deployments: ActiveDeployments,
    private readonly environment: FunctionEnvironment,
    private readonly logs: FunctionLogs,
    private readonly ledger: UsageLedger,
    private readonly host: HostSupport,
    private readonly runtime: FunctionRuntime,
    @Inject(CONFIG) private readonly config: Config,
    private readonly sourceMaps: SourceMaps,
  ) {}

  /** Whether it is known by now where functions reach the API. */
  get areReady(): boolean {
    return this.environment.isReachable;
  }

  /** Has the host get ready for functions before there are any calls. */
  prepareHost(): Promise<void> {
    return this.runtime.prepare(this.environment.api());
  }

  plan(project: Project, deployment: ActiveDeployment): InstancePlan {
    const { id, secretsVersion, manifest } = deployment;
    const options = {
      maxInstances: manifest.max_instances,
      concurrencyPerInstance: manifest.concurrency,
      idleMs: manifest.idle_ms ?? this.config.functions.instanceIdleMs,
      memoryBytes: memoryBytes(manifest),
      oneUse: manifest.policy === 'oneshot',
      queueLimit: limits.waitingCalls,
      waitTimeoutMs: limits.instanceWaitMs,
      wallTimeMs: manifest.timeout_ms,
    };
    return { key: `${id} ${secretsVersion}`, makeSpec: () => this.#of(project, deployment), options };
  }

  async #of(project: Project, deployment: ActiveDeployment): Promise<InstanceSpec> {
    const { id, slug, manifest } = deployment;
    this.#refuseWhatIsMissing(manifest);
    const origin = { projectRef: project.ref, functionSlug: slug, deploymentId: id };
    return {
      deploymentId: id,
      functionSlug: slug,
      files: () => this.deployments.files(id),
      ...(await this.environment.of(project, deployment)),
      allowedHosts: allowedHosts(manifest.permissions),
      api: this.environment.api(),
      limits: { memoryBytes: memoryBytes(manifest), cpuMs: manifest.cpu_ms },
      onLog: (line) => this.logs.add({ ...origin, source: 'function', ...line }),
      onBackground: (usage) => this.ledger.addBackground({ ...origin, ...usage, ...noEgress }, new Date()),
      onCarried: ({ sentBytes, receivedBytes }) => {
        const carried = { egressSentBytes: sentBytes, egressReceivedBytes: receivedBytes };
        this.ledger.addBackground({ ...origin, ...noWork, ...carried }, new Date());
      },
      translateStack: (stack) => this.sourceMaps.translate(id, stack),
      onStart: (starting) =>
        lifeOf(starting, (line) => this.logs.add({ ...origin, source: 'platform', ...line })),
    };
  }

  /** The server that took the deployment may have been another host than this one. */
  #refuseWhatIsMissing(manifest: Manifest): void {
    const missing = this.host.missing(manifest);
    if (missing.length > 0) throw bootError(`The function cannot run on this host: ${missing.join('; ')}`);
  }
}

const noEgress = { egressSentBytes: 0, egressReceivedBytes: 0 };
const noWork = { starts: 0, bootCpuMs: 0, idleCpuMs: 0 };

export function memoryBytes(manifest: { memory_mb: number }): number {
  return manifest.memory_mb * 2 ** 20;
}
