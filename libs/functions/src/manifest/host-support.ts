import { Inject, Injectable } from '@nestjs/common';
import { AppError, CONFIG, DeclaredHosts, isPublicAddress, type Config } from '#libs/platform';
import { FunctionRuntime } from '../function-runtime.provider.js';
import { limits } from '../limits.js';
import { isolationLevel } from '../runtime/function-runtime.js';
import { canMeter } from '../runtime/process-meter.js';
import { hostsOfSecrets } from './egress-secrets.js';
import type { Manifest } from './manifest.js';

/** Says what of a manifest this host cannot keep to: that is refused, never ignored. */
@Injectable()
export class HostSupport {
  constructor(
    private readonly runtime: FunctionRuntime,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /**
   * @param provisionedElsewhere instances that other functions keep ready
   * @throws AppError `invalid_manifest` (400) naming each setting that cannot be kept to
   */
  check(slug: string, manifest: Manifest, provisionedElsewhere: number): void {
    const problems = [...this.missing(manifest), ...this.#places(manifest, provisionedElsewhere)];
    if (problems.length === 0) return;
    const message = problems.map((problem) => `functions.${slug}.${problem}`).join('; ');
    throw new AppError({ code: 'invalid_manifest', status: 400, message });
  }

  /** What a process that would run the deployment lacks, as `<setting>: <what>`. */
  missing(manifest: Manifest): string[] {
    const report = this.runtime.isolation();
    const level = isolationLevel(report);
    return [
      manifest.isolation === 'strong' &&
        level !== 'strong' &&
        `isolation: this host gives functions the level "${level}", not "strong": ${report.missing.join(' ')}`,
      manifest.cpu_ms !== undefined &&
        !canMeter &&
        'cpu_ms: this host does not tell how much processor time a process uses (Linux does, in /proc)',
      manifest.memory_mb > this.config.functions.memoryMb &&
        `memory_mb: this host has ${this.config.functions.memoryMb} MB for functions (GALLEY_FUNCTIONS_MEMORY_MB)`,
      Object.keys(manifest.permissions.egress_secrets).length > 0 &&
        report.network !== 'namespace' &&
        'permissions.egress_secrets: this host allows no namespaces, without which nothing stands between a function and the network; use permissions.secrets, which the function holds',
      ...this.#privateHosts(manifest),
    ].filter((problem) => problem !== false);
  }

  /** Names are looked up, and vetted, when a function connects. */
  #privateHosts({ permissions }: Manifest): string[] {
    const allowed = new DeclaredHosts(this.config.functions.privateHosts, null);
    const declaredHosts = [
      ...permissions.hosts.map((host) => ['hosts', host] as const),
      ...hostsOfSecrets(permissions).map((host) => ['egress_secrets', host] as const),
    ];
    return declaredHosts.flatMap(([key, host]) => {
      const declared = new DeclaredHosts([host]);
      const [address] = declared.addresses;
      if (address === undefined || isPublicAddress(address)) return [];
      if (declared.ports.every((port) => allowed.permits(address, port))) return [];
      return [
        `permissions.${key}: ${host} is not public; the operator can allow it with GALLEY_PRIVATE_HOSTS`,
      ];
    });
  }

  #places(manifest: Manifest, elsewhere: number): string[] {
    const most = Math.floor(this.config.functions.maxInstances * limits.provisionedShare);
    if (manifest.min_instances === 0 || manifest.min_instances + elsewhere <= most) return [];
    return [
      `min_instances: this host keeps ${most} instances ready at most (half of GALLEY_MAX_INSTANCES), and other functions have ${elsewhere} of them`,
    ];
  }
}
