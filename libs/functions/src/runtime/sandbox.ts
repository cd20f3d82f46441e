import { execFile } from 'node:child_process';
import { accessSync, chmodSync, constants, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { inheritedEnvironment, OperatorError } from '#libs/platform';
import type { IsolationReport } from './function-runtime.js';
import { claimBase, fitsSockets, runtimeBases } from './run-directory.js';
import { runtimeLimits as limits } from './runtime-limits.js';

const execute = promisify(execFile);

/**
 * User ids for functions: 60706–61183 is the stretch that systemd's table of ids leaves to nobody, and it lies
 * within the 65536 ids that containers usually map.
 */
const firstUid = 60_706;
const uidCount = 478;

/** How processes are started on this host; found out once, by trying. */
export interface Sandbox {
  /** Where the files of instances live. */
  readonly base: string;
  readonly report: IsolationReport;
  /** The user id for a deployment, or null when functions run as the server's own user. */
  uidOf(deploymentId: string): number | null;
  /** The command that runs `deno` with `args` under the limits of this host. */
  command(options: {
    args: readonly string[];
    uid: number | null;
    memoryBytes: number;
  }): [program: string, args: string[]];
}

/** Tries the strongest arrangement first: another user below the data directory, then below the temporary one, then the same user. */
export async function detectSandbox(deno: string, dataDir: string): Promise<Sandbox> {
  const tools = { setpriv: findProgram('setpriv'), prlimit: findProgram('prlimit') };
  const linux = process.platform === 'linux';
  const usable = (base: string) => fitsSockets(base) && claimBase(base);
  if (linux && tools.setpriv && process.getuid?.() === 0) {
    for (const base of runtimeBases(dataDir)) {
      if (!usable(base)) continue;
      const sandbox = new ProbedSandbox(deno, base, tools, true);
      if ((await sandbox.probe()) === null) return sandbox;
    }
  }
  const base = runtimeBases(dataDir).find(usable);
  if (base === undefined) {
    throw new OperatorError(
      `Neither ${runtimeBases(dataDir).join(' nor ')} can hold the sockets of functions: the path must be short, and the directory writable by this user alone.`,
    );
  }
  const confined = new ProbedSandbox(deno, base, linux ? tools : { setpriv: null, prlimit: null }, false);
  if ((await confined.probe()) === null) return confined;
  const bare = new ProbedSandbox(deno, base, { setpriv: null, prlimit: null }, false);
  const cause = await bare.probe();
  if (cause) throw new OperatorError(`Functions cannot run here: Deno at ${deno} does not start.`, { cause });
  return bare;
}

class ProbedSandbox implements Sandbox {
  #version = 'deno';

  constructor(
    private readonly deno: string,
    readonly base: string,
    private readonly tools: { setpriv: string | null; prlimit: string | null },
    private readonly separateUser: boolean,
  ) {}

  get report(): IsolationReport {
    const { setpriv, prlimit } = this.tools;
    const linux = process.platform === 'linux';
    const missing = [
      !this.separateUser &&
        'Functions run under the user id of the server: start it as root to separate them.',
      !setpriv && 'setpriv (util-linux) is not there: functions keep the privileges of the server.',
      !prlimit && 'prlimit (util-linux) is not there: allocations are not bounded by the kernel.',
      'Network and files are guarded by the permissions of the runtime, not by namespaces of their own.',
    ];
    return {
      runtime: this.#version,
      separateUser: this.separateUser,
      noNewPrivileges: setpriv !== null,
      diesWithParent: setpriv !== null,
      memory: prlimit ? 'kernel' : linux ? 'watched' : 'heap',
      network: 'permissions',
      files: 'permissions',
      missing: missing.filter((sentence) => sentence !== false),
    };
  }

  /** One id per deployment, the same in every process, because instances of a deployment share its code cache. */
  uidOf(deploymentId: string): number | null {
    if (!this.separateUser) return null;
    return firstUid + (createHash('sha256').update(deploymentId).digest().readUInt32BE(0) % uidCount);
  }

  command(options: { args: readonly string[]; uid: number | null; memoryBytes: number }): [string, string[]] {
    const { setpriv, prlimit } = this.tools;
    const chain = [
      ...(prlimit ? [prlimit, ...resourceLimits(options.memoryBytes, options.uid !== null)] : []),
      ...(setpriv ? [setpriv, ...privileges(options.uid)] : []),
      this.deno,
      ...options.args,
    ];
    return [chain[0]!, chain.slice(1)];
  }

  /** Runs Deno once, just as an instance would be, on a file below `base` that it must be able to read. @returns what failed. */
  async probe(): Promise<unknown> {
    const run = join(this.base, 'run');
    mkdirSync(run, { recursive: true });
    const directory = mkdtempSync(join(run, 'probe-'));
    try {
      const script = join(directory, 'probe.js');
      writeFileSync(script, 'console.log(`deno ${Deno.version.deno}`)');
      chmodSync(script, 0o644);
      chmodSync(directory, 0o755);
      const args = ['run', '--quiet', '--no-config', '--no-lock', '--no-remote', '--no-npm', script];
      const [program, rest] = this.command({
        args,
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

/**
 * `--data` bounds private writable memory, which stops what V8's heap limit does not see: ArrayBuffers, WebAssembly
 * and threads. V8 reserves 512 MiB of it for code before the function has allocated anything, and stacks and the
 * runtime take some 30 MiB. Address space (`--as`) cannot be bounded: V8 reserves tens of GiB that it never touches.
 */
function resourceLimits(memoryBytes: number, ownUser: boolean): string[] {
  const codeRangeAndStacks = (512 + 128) * 1024 * 1024;
  return [
    `--data=${codeRangeAndStacks + memoryBytes}`,
    '--core=0',
    `--nofile=${limits.openFiles}`,
    `--fsize=${limits.fileBytes}`,
    // Counted per user, so it would count the server's own threads if they shared one.
    ...(ownUser ? [`--nproc=${limits.threads}`] : []),
  ];
}

function privileges(uid: number | null): string[] {
  const identity = uid === null ? [] : ['--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups'];
  const capabilities = process.getuid?.() === 0 ? ['--bounding-set', '-all', '--inh-caps', '-all'] : [];
  return ['--no-new-privs', '--pdeathsig', 'KILL', ...capabilities, ...identity];
}

function findProgram(name: string): string | null {
  for (const directory of (inheritedEnvironment()['PATH'] ?? '/usr/bin:/bin').split(delimiter)) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this directory.
    }
  }
  return null;
}
