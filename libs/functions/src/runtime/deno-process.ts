import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { bootError } from './boot-error.js';
import type { Cell } from './cell.js';
import type { Cgroup } from './cgroups.js';
import { denoArguments, denoEnvironment } from './deno-command.js';
import type { InstanceSpec } from './function-runtime.js';
import { firstConnection } from './readiness.js';
import { runtimeLimits as limits } from './runtime-limits.js';
import type { Sandbox } from './sandbox.js';

/** A process with the loader in it. Until it is told what function it is for, it is for none. */
export interface DenoProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly cell: Cell;
  readonly cgroup: Cgroup | null;
  readonly memoryBytes: number;
  /** Resolves when it has ended. */
  readonly exited: Promise<void>;
  /** Resolves when it listens. @throws Error that `signal` gives */
  listening(signal: AbortSignal): Promise<Socket>;
}

/**
 * Starts a process in `cell`.
 * @param spec of the function that it is for; null in a jail, where that may be told later
 * @throws AppError `BOOT_ERROR` (503) when the host cannot start it
 */
export function startProcess(
  sandbox: Sandbox,
  cell: Cell,
  memoryBytes: number,
  spec: InstanceSpec | null,
): DenoProcess {
  const { nodeSocket, socket } = cell.paths;
  const forLoader = [sandbox.runDirectory.path, nodeSocket, sandbox.seccomp?.toString('base64') ?? ''];
  // V8 takes no code that was compiled under other flags, so all processes in jails have the same as far as they can.
  const heapBytes = cell.enter ? Math.max(memoryBytes, limits.warmMemoryBytes) : memoryBytes;
  const args = denoArguments(cell, cell.enter ? null : spec, heapBytes, forLoader);
  const env = denoEnvironment(cell, cell.enter ? {} : (spec?.env ?? {}));
  const { uid, enter } = cell;
  const [program, rest] = sandbox.command(args, { uid, memoryBytes, ...(enter && { enter }) });
  // A process group of its own: Ctrl-C in a terminal goes to the whole group of the server, which ends them itself.
  const child = spawn(program, rest, { cwd: '/', env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  // Without a pid the spawn failed, which is told as an event as well.
  child.on('error', () => {});
  // Breaks with the process, whose end is told by its exit.
  child.stdin.on('error', () => {});
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const { pid } = child;
  if (pid === undefined) throw bootError('The host cannot start another process.');
  cell.onStarted(pid);
  const cgroup = makeGroup(sandbox, cell, child, memoryBytes);
  const bounded = enterGroup(cgroup, child);
  // Told to whoever waits until it listens.
  bounded.catch(() => {});
  const listening = async (signal: AbortSignal) => {
    const [first] = await Promise.all([firstConnection(cell.outside(socket), signal), bounded]);
    cell.onReady();
    return first;
  };
  return { child, pid, cell, cgroup, memoryBytes, exited, listening };
}

function makeGroup(sandbox: Sandbox, cell: Cell, child: ChildProcess, memoryBytes: number): Cgroup | null {
  try {
    return sandbox.cgroups?.make(cell.name, memoryBytes) ?? null;
  } catch (cause) {
    throw unbounded(child, cause);
  }
}

async function enterGroup(cgroup: Cgroup | null, child: ChildProcess): Promise<void> {
  try {
    await cgroup?.enter(child.pid!);
  } catch (cause) {
    throw unbounded(child, cause);
  }
}

/** A process that cannot be bounded does not go on. */
function unbounded(child: ChildProcess, cause: unknown) {
  child.kill('SIGKILL');
  return bootError('The host cannot bound another process.', { cause });
}
