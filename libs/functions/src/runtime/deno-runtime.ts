import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { DeclaredHosts, defaultPorts } from '#libs/platform';
import { bootError, hostError, shuttingDown } from './boot-error.js';
import type { Cell } from './cell.js';
import { denoBinary } from './deno-binary.js';
import { checkedEnvironment, checkHosts, hostText } from './deno-command.js';
import { addCompiledCode } from './compiled-code.js';
import { DenoInstance } from './deno-instance.js';
import { startProcess, type DenoProcess } from './deno-process.js';
import { DeploymentDirectories, type DeploymentDirectory } from './deployment-directory.js';
import { CertificateAuthority } from './egress/certificate-authority.js';
import { Egress, nameServerPort } from './egress/egress.js';
import { refusalMessage } from './egress/refusal.js';
import { SecretRelay } from './egress/secret-relay.js';
import { VerifiedTls } from './egress/verified-tls.js';
import type { FunctionInstance, FunctionRuntime, InstanceSpec, IsolationReport } from './function-runtime.js';
import { loaderSource } from './loader.js';
import { runtimeLimits as limits } from './runtime-limits.js';
import { Sandbox } from './sandbox.js';
import { WarmProcesses, type WarmProcess } from './warm-processes.js';

export interface RuntimeOptions {
  readonly dataDir: string;
  /** Processes that are held ready for functions that are not running, where the host allows it. */
  readonly warmProcesses?: number;
  /** Declared hosts that functions may reach although their addresses are not public. */
  readonly privateHosts?: readonly string[];
  /** Certificates of authorities that functions trust beside the usual ones, PEM. */
  readonly extraAuthorities?: string | undefined;
  /** False: do without namespaces, as on a host that does not allow them. */
  readonly namespaces?: boolean;
}

/**
 * Runs each instance as a process of its own: the Deno executable, in the cell that this host can offer, reached over a
 * Unix socket that only it listens on. Open one per process of ours with `DenoRuntime.open`.
 */
export class DenoRuntime implements FunctionRuntime {
  readonly #instances = new Set<DenoInstance>();
  readonly #endings = new Set<Promise<void>>();
  readonly #warm: WarmProcesses;
  /** Of the API, which functions reach through a door of their jail; known from the first start on. */
  #apiPort = 80;
  #watching: NodeJS.Timeout | null = null;
  #refilling: NodeJS.Timeout | null = null;
  #isClosed = false;
  #sentBytes = 0;
  #receivedBytes = 0;

  private constructor(
    private readonly sandbox: Sandbox,
    private readonly deployments: DeploymentDirectories,
    private readonly privateHosts: readonly string[],
    private readonly secretRelay: SecretRelay,
    warmProcesses: number,
  ) {
    this.#warm = new WarmProcesses(
      warmProcesses,
      () => this.#startWarm(),
      (process) => this.#end(process),
    );
  }

  /**
   * Finds Deno and what this host can confine it with.
   * @throws OperatorError when Deno is not installed or cannot start.
   */
  static async open(options: RuntimeOptions): Promise<DenoRuntime> {
    const {
      dataDir,
      warmProcesses = 0,
      privateHosts = [],
      extraAuthorities = '',
      namespaces = true,
    } = options;
    const deno = denoBinary();
    const [sandbox, authority] = await Promise.all([
      Sandbox.detect({ deno, dataDir, loader: writeLoader }),
      CertificateAuthority.create(),
    ]);
    writeReadable(
      sandbox.loaderDirectory,
      'authorities.pem',
      `${authority.certificate}\n${extraAuthorities}`,
    );
    const deployments = new DeploymentDirectories(deno, sandbox.base, sandbox.runDirectory.path);
    const relay = new SecretRelay(authority, new VerifiedTls(extraAuthorities));
    const runtime = new DenoRuntime(sandbox, deployments, privateHosts, relay, warmProcesses);
    if (namespaces) await runtime.#tryJail();
    else await sandbox.giveUpJails();
    return runtime;
  }

  isolation(): IsolationReport {
    return this.sandbox.report;
  }

  egress(): { sentBytes: number; receivedBytes: number } {
    return { sentBytes: this.#sentBytes, receivedBytes: this.#receivedBytes };
  }

  async prepare(api: { port: number }): Promise<void> {
    this.#apiPort = api.port;
    await this.#refill();
  }

  async start(spec: InstanceSpec): Promise<FunctionInstance> {
    if (this.#isClosed) throw shuttingDown();
    if (spec.limits.memoryBytes < limits.minMemoryBytes) {
      throw bootError(`The memory limit is below ${limits.minMemoryBytes} bytes.`);
    }
    checkedEnvironment(spec.env);
    checkHosts(spec.allowedHosts);
    if (spec.egressSecrets?.length && !this.sandbox.jailer) {
      throw bootError('Secrets can be put into requests only where the host allows namespaces.');
    }
    try {
      return await this.#start(spec);
    } catch (error) {
      throw hostError(error);
    } finally {
      if (this.sandbox.jailer) this.#refillSoon();
    }
  }

  /** Makes ready what the next starts will find, when the function that has just started has had the processors. */
  #refillSoon(): void {
    if (this.#refilling) return;
    this.#refilling = setTimeout(() => {
      this.#refilling = null;
      void this.#refill();
    }, limits.refillMs).unref();
  }

  async #refill(): Promise<void> {
    if (this.sandbox.jailer && !this.#isClosed) await this.#warm.fill();
    if (this.sandbox.jailer && !this.#isClosed) await this.sandbox.keepJail(this.#usualPorts());
  }

  /** Tries again, once, when a process or the jailer was killed before any of the function's code could run. */
  async #start(spec: InstanceSpec): Promise<FunctionInstance> {
    const attempt = { began: performance.now(), isTold: false };
    try {
      return await this.#attempt(spec, attempt);
    } catch (error) {
      const isLate = performance.now() - attempt.began > limits.startAgainMs;
      if (attempt.isTold || isLate || this.#isClosed) throw error;
      return this.#attempt(spec, attempt);
    }
  }

  async #attempt(
    spec: InstanceSpec,
    attempt: { readonly began: number; isTold: boolean },
  ): Promise<FunctionInstance> {
    const uid = this.sandbox.jailer ? null : this.sandbox.uidOf(spec.deploymentId);
    const deployment = await this.deployments.of(spec.deploymentId, uid, () => spec.files());
    const warm = this.#takeWarm(spec, deployment);
    const started = warm ?? (await this.#startFor(spec, deployment));
    const instance = this.#instance(started, spec, attempt.began);
    try {
      await started.cell.bringIn(deployment);
      const egress = this.#openDoors(started.cell, spec);
      instance.onRefused = (destination) => egress?.onRefused(destination);
      void instance.exited.then(() => egress?.close());
      await instance.boot(warm?.socket ?? null);
      return instance;
    } catch (error) {
      attempt.isTold = instance.isTold;
      this.deployments.doubt(spec.deploymentId);
      instance.kill('removed');
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#refilling) clearTimeout(this.#refilling);
    const warmEnded = this.#warm.close();
    for (const instance of this.#instances) instance.kill('shutdown');
    await Promise.all([...this.#instances].map((instance) => instance.exited));
    await warmEnded;
    await Promise.all(this.#endings);
    await this.sandbox.close();
  }

  /** One that waits for a function, if this function is content with what they are all given. */
  #takeWarm(spec: InstanceSpec, deployment: DeploymentDirectory): WarmProcess | null {
    const ports = this.#portsOf(spec);
    const isUsual =
      this.sandbox.jailer !== null &&
      spec.limits.memoryBytes <= limits.warmMemoryBytes &&
      ports.every((port) => this.#usualPorts().includes(port)) &&
      // What V8 has compiled of large code saves more than a start costs.
      !deployment.savesCompiling();
    return isUsual ? this.#warm.take() : null;
  }

  async #startFor(spec: InstanceSpec, deployment: DeploymentDirectory): Promise<DenoProcess> {
    const { memoryBytes } = spec.limits;
    const { denoDirectory: plain, compiledDirectory } = deployment;
    const denoDirectory = existsSync(compiledDirectory) ? compiledDirectory : plain;
    const cell = this.sandbox.jailer
      ? await this.sandbox.jailCell({ denoDirectory, ports: this.#portsOf(spec) })
      : this.sandbox.openCell({ deploymentId: spec.deploymentId, deployment });
    return this.#launch(cell, memoryBytes, spec);
  }

  async #startWarm(): Promise<WarmProcess> {
    const denoDirectory = await this.deployments.template();
    const cell = await this.sandbox.jailCell({ denoDirectory, ports: this.#usualPorts() });
    const started = await this.#launch(cell, limits.warmMemoryBytes, null);
    try {
      return { ...started, socket: await untilListening(started) };
    } catch (error) {
      this.#end(started);
      throw error;
    }
  }

  async #launch(cell: Cell, memoryBytes: number, spec: InstanceSpec | null): Promise<DenoProcess> {
    try {
      return startProcess(this.sandbox, cell, memoryBytes, spec);
    } catch (error) {
      await cell.remove();
      throw error;
    }
  }

  /** Of a process that never had a function. */
  #end({ child, cell, cgroup, exited }: DenoProcess): void {
    const ending = exited
      .then(() => cell.remove())
      .then(() => {
        cgroup?.remove();
        this.#endings.delete(ending);
      });
    this.#endings.add(ending);
    child.kill('SIGKILL');
  }

  #usualPorts(): number[] {
    return [...new Set([nameServerPort, ...defaultPorts, this.#apiPort])];
  }

  /** What the function may declare, and what is usual: there refusals are told. */
  #portsOf({ allowedHosts, api, database }: InstanceSpec): number[] {
    const declared = new DeclaredHosts([...allowedHosts, `${hostText(api.host)}:${api.port}`]);
    const own = database ? [database.port] : [];
    return [...new Set([...this.#usualPorts(), ...declared.ports, ...own])];
  }

  #openDoors(cell: Cell, spec: InstanceSpec): Egress | null {
    if (!cell.enter) return null;
    const rules = {
      allowedHosts: spec.allowedHosts,
      api: spec.api,
      database: spec.database,
      privateHosts: this.privateHosts,
      secrets: { used: spec.egressSecrets ?? [], relay: this.secretRelay },
      onCarried: (sentBytes: number, receivedBytes: number) => {
        this.#sentBytes += sentBytes;
        this.#receivedBytes += receivedBytes;
        spec.onCarried?.({ sentBytes, receivedBytes });
      },
      onRefused: (destination: string, why: string) =>
        spec.onLog({
          level: 'warn',
          message: refusalMessage(destination, why),
          at: new Date(),
          invocationId: null,
        }),
    };
    const egress = new Egress(rules, cell);
    egress.listen();
    return egress;
  }

  #instance(started: DenoProcess, spec: InstanceSpec, began: number): DenoInstance {
    if (started.memoryBytes !== spec.limits.memoryBytes) started.cgroup?.setMemory(spec.limits.memoryBytes);
    const instance = new DenoInstance(started, spec, began);
    this.#instances.add(instance);
    this.#watch();
    const ending = instance.exited.then(async () => {
      this.#instances.delete(instance);
      this.#watch();
      await started.cell.remove();
      started.cgroup?.remove();
      this.#endings.delete(ending);
    });
    this.#endings.add(ending);
    return instance;
  }

  /** A host may have the programs and still refuse: what counts is a process that listens in a jail. */
  async #tryJail(): Promise<void> {
    if (!this.sandbox.jailer) return;
    try {
      const first = await this.#startWarm();
      const { cell } = first;
      const started = cell.outside(cell.paths.denoDirectory);
      // Without it starts take longer, that is all.
      await this.deployments.changeTemplate((to) => addCompiledCode(started, to)).catch(() => {});
      this.#end(first);
    } catch {
      await this.sandbox.giveUpJails();
    }
  }

  /** Looks at all instances while there are any; nothing ticks when there are none. */
  #watch(): void {
    if (this.#instances.size === 0 && this.#watching) {
      clearInterval(this.#watching);
      this.#watching = null;
    } else if (this.#instances.size > 0 && !this.#watching) {
      this.#watching = setInterval(() => {
        for (const instance of this.#instances) instance.look();
      }, limits.lookMs).unref();
    }
  }
}

/** In a directory of its own, which jails show. */
function writeLoader(directory: string): void {
  mkdirSync(directory, { mode: 0o755 });
  chmodSync(directory, 0o755);
  writeReadable(directory, 'loader.js', loaderSource);
}

function writeReadable(directory: string, name: string, text: string): void {
  writeFileSync(join(directory, name), text);
  chmodSync(join(directory, name), 0o644);
}

/** @throws Error when it ends instead, or is too slow */
async function untilListening(started: DenoProcess): Promise<Socket> {
  const ended = new AbortController();
  started.child.once('exit', () => ended.abort(new Error('The process ended before it listened.')));
  return started.listening(AbortSignal.any([ended.signal, AbortSignal.timeout(limits.bootTimeoutMs)]));
}
