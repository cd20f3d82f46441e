import { spawn } from 'node:child_process';
import { chmodSync, existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bootError, hostError, shuttingDown } from './boot-error.js';
import { denoBinary } from './deno-binary.js';
import { denoArguments, denoEnvironment, type InstancePaths } from './deno-command.js';
import { DenoInstance } from './deno-instance.js';
import { DeploymentDirectories } from './deployment-directory.js';
import type { FunctionInstance, FunctionRuntime, InstanceSpec, IsolationReport } from './function-runtime.js';
import { loaderSource } from './loader.js';
import { RunDirectory, type InstanceDirectory } from './run-directory.js';
import { runtimeLimits as limits } from './runtime-limits.js';
import { detectSandbox, type Sandbox } from './sandbox.js';

/**
 * Runs each instance as a process of its own: the Deno executable, under the limits this host offers, reached over a
 * Unix socket that only it listens on. Open one per process of ours with `DenoRuntime.open`.
 */
export class DenoRuntime implements FunctionRuntime {
  readonly #instances = new Set<DenoInstance>();
  readonly #endings = new Set<Promise<void>>();
  readonly #loader: string;
  #watching: NodeJS.Timeout | null = null;
  #closed = false;

  private constructor(
    private readonly sandbox: Sandbox,
    private readonly runDirectory: RunDirectory,
    private readonly deployments: DeploymentDirectories,
  ) {
    this.#loader = join(runDirectory.path, 'loader.js');
  }

  /**
   * Finds Deno and what this host can confine it with.
   * @throws OperatorError when Deno is not installed or cannot start.
   */
  static async open(options: { dataDir: string }): Promise<DenoRuntime> {
    const deno = denoBinary();
    const sandbox = await detectSandbox(deno, options.dataDir);
    const runDirectory = new RunDirectory(sandbox.base);
    const deployments = new DeploymentDirectories(deno, sandbox.base, runDirectory.path);
    return new DenoRuntime(sandbox, runDirectory, deployments);
  }

  isolation(): IsolationReport {
    return this.sandbox.report;
  }

  async start(spec: InstanceSpec): Promise<FunctionInstance> {
    if (this.#closed) throw shuttingDown();
    if (spec.limits.memoryBytes < limits.minMemoryBytes) {
      throw bootError(`The memory limit is below ${limits.minMemoryBytes} bytes.`);
    }
    try {
      return await this.#start(spec);
    } catch (error) {
      throw hostError(error);
    }
  }

  async #start(spec: InstanceSpec): Promise<FunctionInstance> {
    const uid = this.sandbox.uidOf(spec.deploymentId);
    const deployment = await this.deployments.of(spec.deploymentId, uid, () => spec.code());
    const directory = this.#instanceDirectory(uid);
    const paths = {
      loader: this.#loader,
      codeDirectory: deployment.codeDirectory,
      codeUrl: pathToFileURL(deployment.codeFile).href,
      socket: directory.socket,
      denoDirectory: deployment.denoDirectory,
    };
    try {
      const instance = this.#spawn(spec, paths, uid, directory);
      await instance.boot();
      return instance;
    } catch (error) {
      await directory.remove();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const instance of this.#instances) instance.kill('shutdown');
    await Promise.all([...this.#instances].map((instance) => instance.exited));
    await Promise.all(this.#endings);
    await this.runDirectory.remove();
  }

  #instanceDirectory(uid: number | null): InstanceDirectory {
    const directory = this.runDirectory.createInstanceDirectory(uid);
    this.#ensureLoader();
    return directory;
  }

  /**
   * A sweep or a cleaner of temporary files may have taken the loader. It is put in place whole, because another
   * instance may be reading it: an empty program ends well at once.
   */
  #ensureLoader(): void {
    if (existsSync(this.#loader)) return;
    const aside = `${this.#loader}.new`;
    writeFileSync(aside, loaderSource);
    chmodSync(aside, 0o644);
    renameSync(aside, this.#loader);
  }

  #spawn(
    spec: InstanceSpec,
    paths: InstancePaths,
    uid: number | null,
    directory: InstanceDirectory,
  ): DenoInstance {
    const env = denoEnvironment(paths, spec.env);
    const args = denoArguments(paths, spec);
    const [program, rest] = this.sandbox.command({ args, uid, memoryBytes: spec.limits.memoryBytes });
    // A process group of its own: Ctrl-C in a terminal goes to the whole group of the server, which ends them itself.
    const child = spawn(program, rest, { cwd: '/', env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    // Without a pid the spawn failed, which is told as an event as well.
    child.on('error', () => {});
    if (child.pid === undefined) throw bootError('The host cannot start another process.');
    directory.recordProcess(child.pid);
    const instance = new DenoInstance(child, paths, spec);
    this.#instances.add(instance);
    this.#watch();
    const ending = instance.exited.then(async () => {
      this.#instances.delete(instance);
      this.#watch();
      await directory.remove();
      this.#endings.delete(ending);
    });
    this.#endings.add(ending);
    return instance;
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
