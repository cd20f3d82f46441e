import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { inheritedEnvironment } from '../config/env.js';
import { OperatorError } from '../errors/app-error.js';
import { scheduleInBatches } from './batch-scheduling.js';
import type { Binaries } from './binaries.js';
import { commandOf, type Unprivileged } from './unprivileged-user.js';

const startTimeoutMs = 30_000;
/** How long a leftover server may take for its shutdown checkpoint before it is killed. */
const leftoverTimeoutMs = 10_000;
const pollMs = 5;

/** What a PostgreSQL server is started with. */
export interface PostmasterOptions {
  readonly binaries: Binaries;
  readonly cluster: string;
  readonly socketDir: string;
  readonly logPath: string;
  readonly as: Unprivileged;
  readonly maxConnections: number;
}

/**
 * Starts the server; see {@link untilReady}.
 * @throws OperatorError when there can be no such process: no memory, too many of them
 */
export async function launchPostmaster(options: PostmasterOptions): Promise<ChildProcess> {
  const settings = {
    listen_addresses: '',
    unix_socket_directories: options.socketDir,
    unix_socket_permissions: '0700',
    max_connections: String(options.maxConnections),
    // Small on purpose: the operating system's page cache does the rest, and idle memory stays low.
    shared_buffers: '64MB',
    io_method: 'sync',
    // Row changes of a later `realtime` are read from the log; changing this needs a restart.
    wal_level: 'logical',
    jit: 'off',
    log_line_prefix: '%m [%p] ',
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const log = await open(options.logPath, 'a', 0o600);
  try {
    const [command, args] = commandOf(options.as, options.binaries.postgres, [
      '-D',
      options.cluster,
      ...flags,
    ]);
    const child = spawn(command, args, {
      cwd: '/',
      env: inheritedEnvironment(),
      stdio: ['ignore', log.fd, log.fd],
      // A group of its own: Ctrl-C reaches us alone, and we stop it after the last query.
      detached: true,
      ...(options.as.uid !== undefined && { uid: options.as.uid, gid: options.as.gid }),
    });
    await once(child, 'spawn');
    return child;
  } catch (cause) {
    throw new OperatorError(`PostgreSQL did not start: ${(cause as Error).message}.`, { cause });
  } finally {
    await log.close();
  }
}

/**
 * Waits until the server takes connections. PostgreSQL writes its state into line 8 of `postmaster.pid`, which is what
 * pg_ctl waits for too.
 * @throws OperatorError when it ends or is not ready in time; the message names the log.
 */
export async function untilReady(
  child: ChildProcess,
  { cluster, logPath }: PostmasterOptions,
): Promise<void> {
  let failure: string | undefined;
  child.once('error', (error) => (failure = error.message));
  const onExit = () => (failure = `it ended with ${child.signalCode ?? `status ${child.exitCode}`}`);
  child.once('exit', onExit);
  if (child.exitCode !== null || child.signalCode !== null) onExit();
  if (child.pid !== undefined) await scheduleInBatches(child.pid);
  const deadline = Date.now() + startTimeoutMs;
  for (;;) {
    const lines = (await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
    // First: one that was killed leaves the file as it is.
    if (failure)
      throw new OperatorError(`PostgreSQL did not start: ${failure}. Its words are in ${logPath}.`);
    if (Number(lines[0]) === child.pid && lines[7]?.trim() === 'ready') return;
    if (Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new OperatorError(
        `PostgreSQL was not ready within ${startTimeoutMs / 1000} s. Its words are in ${logPath}.`,
      );
    }
    await delay(pollMs);
  }
}

/** Ends a postmaster that outlived the process which started it (that one was killed). */
export async function stopLeftover(cluster: string): Promise<void> {
  const pid = Number(
    (await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')[0],
  );
  if (!pid || !(await isPostmaster(pid, cluster))) return;
  process.kill(pid, 'SIGINT');
  const deadline = Date.now() + leftoverTimeoutMs;
  while (await isPostmaster(pid, cluster)) {
    if (Date.now() > deadline) process.kill(pid, 'SIGKILL');
    await delay(pollMs);
  }
}

async function isPostmaster(pid: number, cluster: string): Promise<boolean> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
  if (commandLine !== undefined) return commandLine.split('\0').includes(cluster);
  if (existsSync('/proc/self')) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
