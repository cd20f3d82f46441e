import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { AppError } from '#libs/platform';
import type { Cgroup } from '../runtime/cgroups.js';
import type { BuildRoom } from './build-room.js';
import { bundleError } from './bundle-error.js';
import { bundleLimits as limits } from './bundle-limits.js';

export interface ToolResult {
  readonly exitCode: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/**
 * Runs one of Deno's tools on a function's sources. Nothing of the function is executed.
 * @param options.onLine is told of downloads, a line each
 * @throws AppError `BUNDLE_ERROR` when it takes too long, prints too much or runs out of memory, `BUILD_KILLED` (503)
 *   when somebody ended it, `insufficient_storage` (507)
 */
export async function runDenoTool(options: {
  args: readonly string[];
  room: BuildRoom;
  onLine: (line: string) => void;
}): Promise<ToolResult> {
  const { room } = options;
  await room.handOver();
  const { child, group } = start(room, options.args);
  return new Promise((resolve, reject) => {
    const output: Buffer[] = [];
    let outputBytes = 0;
    let stderr = '';
    let unfinishedLine = '';
    let failure: string | null = null;
    const stop = (message: string) => {
      failure ??= message;
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    };
    const timer = setTimeout(
      () => stop(`Bundling took longer than ${limits.stepTimeoutMs} ms.`),
      limits.stepTimeoutMs,
    );
    const count = (chunk: Buffer) => {
      outputBytes += chunk.length;
      if (outputBytes > limits.outputBytes)
        stop(`The bundler's output is larger than ${limits.outputBytes} bytes.`);
      return outputBytes <= limits.outputBytes;
    };
    child.stdout.on('data', (chunk: Buffer) => count(chunk) && output.push(chunk));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (!count(Buffer.from(text))) return;
      stderr += text;
      const lines = (unfinishedLine + text).split('\n');
      unfinishedLine = lines.pop()!;
      for (const line of lines) if (line.startsWith('Download ')) options.onLine(line);
    });
    child.on('error', reject);
    letGo(child, group).catch((cause: unknown) => {
      reject(noRoom(cause));
      child.kill('SIGKILL');
    });
    child.on('close', (exitCode, signal) => {
      clearTimeout(timer);
      // unshare(1) of util-linux 2.38 complains where it should die of the SIGKILL that its child died of.
      const isLost = exitCode !== 0 && (!room.isThere() || /^unshare: /m.test(stderr));
      const problem =
        failure === null
          ? problemOf(isLost ? 'SIGKILL' : signal, stderr, group?.ranOutOfMemory() ?? false)
          : bundleError([failure]);
      group?.remove();
      if (problem) reject(problem);
      else resolve({ exitCode, stdout: Buffer.concat(output), stderr });
    });
  });
}

/** @throws AppError `BUILD_KILLED` (503) when it cannot be bounded */
function start(
  room: BuildRoom,
  toolArguments: readonly string[],
): { child: ChildProcessByStdio<Writable, Readable, Readable>; group: Cgroup | null } {
  const [program, args] = room.command(toolArguments);
  // A group of its own, because the bundler has a child that must end with it.
  const child = spawn(program, args, {
    cwd: room.workingDirectory,
    env: room.environment,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => {});
  try {
    return { child, group: room.makeGroup() };
  } catch (cause) {
    child.on('error', () => {}).kill('SIGKILL');
    throw noRoom(cause);
  }
}

/** Lets a process begin once it is bounded. */
async function letGo(child: ChildProcessByStdio<Writable, Readable, Readable>, group: Cgroup | null) {
  if (child.pid !== undefined) await group?.enter(child.pid);
  child.stdin.end('\n');
}

/** What ended the tool that was neither its work nor our limits. */
function problemOf(signal: NodeJS.Signals | null, stderr: string, ranOutOfMemory: boolean): AppError | null {
  if (/No space left on device|Disk quota exceeded/.test(stderr)) return storageFull();
  if (ranOutOfMemory) return outOfMemory('SIGKILL');
  if (signal === null) return null;
  // V8 and the allocator end their process themselves when they get no more memory.
  if (signal === 'SIGKILL' || signal === 'SIGTERM' || signal === 'SIGINT') {
    return new AppError({
      code: 'BUILD_KILLED',
      status: 503,
      message: `The bundler was ended from outside (${signal}). Nothing was deployed; deploy again.`,
    });
  }
  return outOfMemory(signal);
}

function outOfMemory(signal: NodeJS.Signals): AppError {
  return bundleError([`The bundler ran out of its ${limits.memoryMegabytes} MB of memory (${signal}).`]);
}

/** The host, not the function, is at fault. */
export function noRoom(cause: unknown): AppError {
  return new AppError({
    code: 'BUILD_KILLED',
    status: 503,
    message: 'The host has no room for a build just now. Nothing was deployed; deploy again.',
    cause,
  });
}

/** The server's disk, not the function, is at fault. */
export function storageFull(cause?: unknown): AppError {
  return new AppError({
    code: 'insufficient_storage',
    status: 507,
    message: 'The server has no space left for the function. Nothing was deployed.',
    cause,
  });
}
