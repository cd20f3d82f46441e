import { Injectable } from '@nestjs/common';
import type { Project } from '#libs/platform';
import { FunctionLogs } from '../logs/function-logs.js';
import { lifeOf } from '../logs/instance-life.js';
import { SourceMaps } from '../logs/source-maps.js';
import type { InstanceSpec } from '../runtime/function-runtime.js';
import { ActiveDeployments } from './active-deployments.js';
import { FunctionEnvironment } from './function-environment.js';
import type { ActiveDeployment } from './known-deployments.js';

/** Says of a deployment what its instances are made of and may do. */
@Injectable()
export class InstanceSpecs {
  constructor(
    private readonly deployments: ActiveDeployments,
    private readonly environment: FunctionEnvironment,
    private readonly logs: FunctionLogs,
    private readonly sourceMaps: SourceMaps,
  ) {}

  async of(project: Project, deployment: ActiveDeployment): Promise<InstanceSpec> {
    const { id, slug, manifest } = deployment;
    const origin = { projectRef: project.ref, functionSlug: slug, deploymentId: id };
    return {
      deploymentId: id,
      functionSlug: slug,
      code: () => this.deployments.code(id),
      env: await this.environment.variables(project, deployment),
      allowedHosts: this.environment.allowedHosts(deployment),
      limits: { memoryBytes: memoryBytes(manifest) },
      onLog: (line) => this.logs.add({ ...origin, source: 'function', ...line }),
      translateStack: (stack) => this.sourceMaps.translate(id, stack),
      onStart: (starting) =>
        lifeOf(starting, (line) => this.logs.add({ ...origin, source: 'platform', ...line })),
    };
  }
}

export function memoryBytes(manifest: { memory_mb: number }): number {
  return manifest.memory_mb * 2 ** 20;
}
