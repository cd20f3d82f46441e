import {
  Global,
  Inject,
  Module,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { CONFIG, InvocationLiveness, Metrics, ShutdownGrace, type Config } from '#libs/platform';
import { UsageModule } from '#libs/usage';
import { closeBuildSandboxes } from './bundle/build-sandbox.js';
import { sweepSourceTrees } from './bundle/source-tree.js';
import { Activations } from './deploy/activations.js';
import { Builds } from './deploy/builds.js';
import { DeployFunction } from './deploy/deploy-function.js';
import { FunctionRuntime, functionRuntimeProvider } from './function-runtime.provider.js';
import { InstancePool } from './instances/instance-pool.js';
import { ActiveDeployments } from './invoke/active-deployments.js';
import { DatabaseAccess } from './database/database-access.js';
import { FunctionEnvironment } from './invoke/function-environment.js';
import { InstanceSpecs } from './invoke/instance-specs.js';
import { InvokeFunction } from './invoke/invoke-function.js';
import { LiveInvocations } from './invoke/live-invocations.js';
import { ProvisionedInstances } from './invoke/provisioned-instances.js';
import { RunInvocation } from './invoke/run-invocation.js';
import { EventLog } from './logs/event-log.js';
import { FunctionLogs } from './logs/function-logs.js';
import { HostSupport } from './manifest/host-support.js';
import { SourceMaps } from './logs/source-maps.js';
import { sweepDeploymentDirectories } from './runtime/deployment-directory.js';
import { sweepRunDirectory } from './runtime/run-directory.js';
import { Secrets } from './secrets/secrets.js';

const pool = {
  provide: InstancePool,
  inject: [FunctionRuntime, CONFIG],
  useFactory: (functionRuntime: FunctionRuntime, config: Config) =>
    new InstancePool(functionRuntime, {
      instances: config.functions.maxInstances,
      memoryBytes: config.functions.memoryMb * 2 ** 20,
    }),
};

/** Deploying and running functions, for every program; {@link FunctionsHttpModule} adds what a server answers. */
@Global()
@Module({
  imports: [UsageModule],
  providers: [
    functionRuntimeProvider,
    pool,
    Activations,
    ActiveDeployments,
    Builds,
    DeployFunction,
    EventLog,
    DatabaseAccess,
    FunctionEnvironment,
    FunctionLogs,
    HostSupport,
    InstanceSpecs,
    InvokeFunction,
    LiveInvocations,
    ProvisionedInstances,
    RunInvocation,
    Secrets,
    SourceMaps,
    { provide: InvocationLiveness, useExisting: LiveInvocations },
  ],
  exports: [
    FunctionRuntime,
    Activations,
    ActiveDeployments,
    Builds,
    DeployFunction,
    EventLog,
    FunctionEnvironment,
    FunctionLogs,
    InvocationLiveness,
    InvokeFunction,
    Secrets,
  ],
})
export class FunctionsModule
  implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  constructor(
    private readonly instances: InstancePool,
    private readonly provisioned: ProvisionedInstances,
    private readonly functionRuntime: FunctionRuntime,
    private readonly logs: FunctionLogs,
    private readonly grace: ShutdownGrace,
    @Inject(CONFIG) private readonly config: Config,
    metrics: Metrics,
  ) {
    metrics.gauge(
      'galley_function_instances',
      'Processes of functions, by what they do.',
      ['state'],
      (gauge) => {
        const { instances: all, busy } = instances.statistics();
        gauge.set({ state: 'busy' }, busy);
        gauge.set({ state: 'idle' }, all - busy);
      },
    );
    metrics.gauge(
      'galley_function_egress_bytes',
      'Bytes that functions exchanged with declared hosts since the start, where they are kept in by namespaces.',
      ['direction'],
      (gauge) => {
        const { sentBytes, receivedBytes } = functionRuntime.egress();
        gauge.set({ direction: 'sent' }, sentBytes);
        gauge.set({ direction: 'received' }, receivedBytes);
      },
    );
    metrics.gauge('galley_function_calls_waiting', 'Calls that wait for an instance.', [], (gauge) =>
      gauge.set(instances.statistics().waiting),
    );
  }

  /** What processes left that were killed: their functions' processes, sockets, deployments and source trees. */
  async onModuleInit(): Promise<void> {
    await sweepRunDirectory(this.config.dataDir);
    await sweepDeploymentDirectories(this.config.dataDir);
    await sweepSourceTrees();
  }

  onApplicationBootstrap(): void {
    this.provisioned.start();
  }

  /** While the front door still lets requests in flight finish. */
  async beforeApplicationShutdown(): Promise<void> {
    this.provisioned.stop();
    await this.instances.drain(this.grace.leftMs());
    await this.instances.close();
    await this.functionRuntime.close();
    await closeBuildSandboxes();
  }

  /** After the last request, so that no line is left. */
  async onApplicationShutdown(): Promise<void> {
    await this.logs.flush();
  }
}
