import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { OperatorError, repositoryRoot } from '#libs/platform';
import type { Cell } from './cell.js';
import { Cgroups } from './cgroups.js';
import { confinedCommand, functionUids, type Confinement } from './confined-command.js';
import type { DeploymentDirectory } from './deployment-directory.js';
import type { IsolationReport } from './function-runtime.js';
import { nameServerPort } from './egress/egress.js';
import { findHostPrograms, type HostPrograms } from './host-programs.js';
import { Jailer, jailPaths, type Jail } from './jail/jailer.js';
import { jailCell } from './jail-cell.js';
import { openCell } from './open-cell.js';
import { claimBase, fitsSockets, RunDirectory, runtimeBases } from './run-directory.js';
import { runtimeLimits as limits } from './runtime-limits.js';
import { SpareJail } from './spare-jail.js';
import { canFilterSystemCalls, seccompFilter } from './seccomp-filter.js';

const execute = promisify(execFile);

/** What a cell is made for. */
export interface CellRequest {
  readonly deploymentId: string;
  readonly deployment: DeploymentDirectory;
}

export interface JailRequest {
  /** What the Deno directory begins as. */
  readonly denoDirectory: string;
  readonly ports: readonly number[];
}

/** How this host confines processes; found out once, by trying. */
export class Sandbox {
  #nextUid = Math.floor(Math.random() * functionUids.count);
  #version = 'deno';
  /** The system calls that are left, for the loader to install; null where there is no such list or it cannot be. */
  readonly seccomp: Buffer | null = canFilterSystemCalls() ? seccompFilter() : null;
  cgroups: Cgroups | null = null;
  jailer: Jailer | null = null;
  /** For the ports that most functions need. */
  #spare: { readonly jail: SpareJail; readonly ports: readonly number[] } | null = null;

  private constructor(
    private readonly deno: string,
    private readonly programs: HostPrograms,
    private readonly hasUsers: boolean,
    readonly runDirectory: RunDirectory,
    readonly loaderDirectory: string,
    readonly base: string,
    private readonly dataDir: string,
  ) {}

  /**
   * Tries the strongest arrangement first: users of their own below the data directory, then below the temporary one,
   * then the server's user; namespaces and control groups where they are to be had.
   * @throws OperatorError when Deno cannot start
   */
  static async detect(options: {
    deno: string;
    dataDir: string;
    loader(directory: string): void;
  }): Promise<Sandbox> {
    const { deno, dataDir, loader } = options;
    const programs = findHostPrograms();
    const bases = runtimeBases(dataDir).filter((base) => fitsSockets(base) && claimBase(base));
    if (bases.length === 0) {
      throw new OperatorError(
        `Neither ${runtimeBases(dataDir).join(' nor ')} can hold the sockets of functions: the path must be short, and the directory writable by this user alone.`,
      );
    }
    const canSeparate = programs.setpriv !== null && process.getuid?.() === 0;
    const none: HostPrograms = { setpriv: null, prlimit: null, nsenter: null, unshare: null };
    const arrangements = [
      ...(canSeparate ? bases.map((base) => ({ base, programs, hasUsers: true })) : []),
      { base: bases[0]!, programs, hasUsers: false },
      { base: bases[0]!, programs: none, hasUsers: false },
    ];
    let cause: unknown;
    for (const { base, programs: available, hasUsers } of arrangements) {
      const runDirectory = new RunDirectory(base);
      const loaderDirectory = join(runDirectory.path, 'loader');
      const sandbox = new Sandbox(deno, available, hasUsers, runDirectory, loaderDirectory, base, dataDir);
      cause = await sandbox.#probe();
      if (cause === null) {
        loader(loaderDirectory);
        sandbox.#prepareJails();
        sandbox.cgroups = hasUsers ? Cgroups.detect(runDirectory.name, limits.threads) : null;
        return sandbox;
      }
      await runDirectory.remove();
    }
    throw new OperatorError(`Functions cannot run here: Deno at ${deno} does not start.`, { cause });
  }

  get report(): IsolationReport {
    const { setpriv, prlimit } = this.programs;
    const isLinux = process.platform === 'linux';
    const missing = [
      !this.hasUsers && 'Functions run under the user id of the server: start it as root to separate them.',
      !setpriv && 'setpriv (util-linux) is not there: functions keep the privileges of the server.',
      !prlimit && 'prlimit (util-linux) is not there: allocations are not bounded by the kernel.',
      !this.jailer &&
        'This host allows no namespaces: network and files are guarded by the permissions of the runtime alone.',
      !this.cgroups &&
        'Control groups cannot be written: memory is bounded by resource limits and by looking at it.',
      !this.seccomp && 'System calls are not filtered.',
    ];
    return {
      runtime: this.#version,
      separateUser: this.hasUsers,
      noNewPrivileges: setpriv !== null,
      diesWithParent: setpriv !== null,
      memory: this.cgroups ? 'cgroup' : prlimit ? 'kernel' : isLinux ? 'watched' : 'heap',
      network: this.jailer ? 'namespace' : 'permissions',
      files: this.jailer ? 'namespace' : 'permissions',
      systemCalls: this.seccomp ? 'filtered' : 'all',
      missing: missing.filter((sentence) => sentence !== false),
    };
  }

  /** A directory of the host as a place for a process of this deployment. */
  openCell({ deploymentId, deployment }: CellRequest): Cell {
    const { runDirectory, loaderDirectory } = this;
    return openCell({ runDirectory, loaderDirectory, deployment, uid: this.uidOf(deploymentId) });
  }

  /** @throws Error when the host cannot make one just now */
  async jailCell({ denoDirectory, ports }: JailRequest): Promise<Cell> {
    const suits = ports.every((port) => this.#spare?.ports.includes(port));
    const jail = (suits && this.#spare?.jail.take()) || (await this.#makeJail(ports));
    return jailCell({ runDirectory: this.runDirectory, jail, denoDirectory });
  }

  /** Keeps a jail ready that listens on these ports. */
  async keepJail(ports: readonly number[]): Promise<void> {
    this.#spare ??= { jail: new SpareJail(() => this.#makeJail(ports)), ports };
    await this.#spare.jail.fill();
  }

  #makeJail(ports: readonly number[]): Promise<Jail> {
    return this.jailer!.make({
      uid: this.hasUsers ? functionUids.first + (this.#nextUid++ % functionUids.count) : 0,
      diskBytes: limits.jailDiskBytes,
      fileCount: limits.jailFiles,
      ports,
      datagramPort: nameServerPort,
    });
  }

  /**
   * One id per deployment, the same in every process, because without jails the processes of a deployment share its
   * directory.
   */
  uidOf(deploymentId: string): number | null {
    if (!this.hasUsers) return null;
    const hash = createHash('sha256').update(deploymentId).digest().readUInt32BE(0);
    return functionUids.first + (hash % functionUids.count);
  }

  command(denoArguments: readonly string[], confinement: Confinement): [program: string, args: string[]] {
    const deno = confinement.enter ? jailPaths.deno : this.deno;
    return confinedCommand(this.programs, [deno, ...denoArguments], confinement);
  }

  /** Falls back to what keeps functions in without them. */
  async giveUpJails(): Promise<void> {
    this.#spare?.jail.close();
    this.#spare = null;
    await this.jailer?.close();
    this.jailer = null;
  }

  async close(): Promise<void> {
    this.#spare?.jail.close();
    await this.jailer?.close();
    this.cgroups?.close();
    await this.runDirectory.remove();
  }

  /** Whether the host really makes them shows itself with the first. */
  #prepareJails(): void {
    const { nsenter, unshare, prlimit, setpriv } = this.programs;
    const isRoot = process.getuid?.() === 0;
    if (!nsenter || !prlimit || !setpriv || (!isRoot && !unshare)) return;
    this.jailer = new Jailer({
      deno: this.deno,
      nsenter,
      unshare: isRoot ? null : unshare,
      root: join(this.runDirectory.path, 'jail-root'),
      visible: [{ from: this.loaderDirectory, to: dirname(jailPaths.loader) }],
      // An installation in /usr, say, brings its data and its sources with it.
      hidden: [this.dataDir, repositoryRoot],
    });
  }

  /** Runs Deno once, just as an instance would be, on a file below `base` that it must be able to read. @returns what failed. */
  async #probe(): Promise<unknown> {
    const directory = mkdtempSync(join(this.runDirectory.path, 'probe-'));
    try {
      const script = join(directory, 'probe.js');
      writeFileSync(script, 'console.log(`deno ${Deno.version.deno}`)');
      chmodSync(script, 0o644);
      chmodSync(directory, 0o755);
      const args = ['run', '--quiet', '--no-config', '--no-lock', '--no-remote', '--no-npm', script];
      const [program, rest] = this.command(args, {
        uid: this.uidOf('probe'),
        memoryBytes: limits.minMemoryBytes,
      });
      // /dev/null is no directory, so Deno does without one.
      const env = { DENO_DIR: '/dev/null/deno', DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' };
      const { stdout } = await execute(program, rest, { env, cwd: '/', timeout: limits.bootTimeoutMs });
      this.#version = stdout.trim();
      return null;
    } catch (error) {
      return error;
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
}
