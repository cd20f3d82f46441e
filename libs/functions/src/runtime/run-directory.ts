import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandLine, pidNamespace, processStartTime } from './process-identity.js';
import { runtimeLimits as limits } from './runtime-limits.js';

/** A foreign pid namespace's directory that nobody has touched for this long belongs to a container that is gone. */
const foreignAgeMs = 7 * 24 * 3600 * 1000;

/** Where instances' files may live: the data directory, or a short path of the same identity under the temporary one. */
export function runtimeBases(dataDir: string): [data: string, temporary: string] {
  const identity = createHash('sha256').update(dataDir).digest('hex').slice(0, 12);
  return [dataDir, join(tmpdir(), `galley-${identity}`)];
}

/** True when sockets below `base` have paths short enough, and Deno's lists can hold them (a comma separates). */
export function fitsSockets(base: string): boolean {
  const longest = join(base, 'run', `${pidNamespace()}-${2 ** 22}-zzzzzzzz-zz`, 'zzzz', 's.sock');
  return Buffer.byteLength(longest) <= limits.socketPathBytes && !base.includes(',');
}

/**
 * Makes `base` if need be. False when it is not a directory of ours alone: in a temporary directory anybody may have
 * made it before us, to put code of theirs in the place of a function's.
 */
export function claimBase(base: string): boolean {
  try {
    mkdirSync(base, { recursive: true, mode: 0o711 });
    const found = lstatSync(base);
    return found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0;
  } catch {
    return false;
  }
}

let opened = 0;

export interface InstanceDirectory {
  readonly name: string;
  readonly path: string;
  /** Notes which process the directory belongs to, for `sweepRunDirectory`. */
  recordProcess(pid: number): void;
  remove(): Promise<void>;
}

/** What a runtime keeps of its instances: `<base>/run/<pid namespace>-<pid>-<start>/`, with one directory for each. */
export class RunDirectory {
  readonly path: string;
  /** Names this process of ours, and the runtime in it, for good. */
  readonly name: string;
  #next = 0;

  constructor(base: string) {
    this.name = ownName();
    this.path = join(base, 'run', this.name);
    mkdirSync(this.path, { recursive: true });
    chmodSync(this.path, 0o711);
  }

  /** A new private directory, owned by `uid` when one is given. */
  createInstanceDirectory(uid: number | null): InstanceDirectory {
    const name = (this.#next++).toString(36);
    const path = join(this.path, name);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    if (uid !== null) chownSync(path, uid, uid);
    const record = `${path}.pid`;
    return {
      name,
      path,
      recordProcess: (pid) => writeFileSync(record, `${pid} ${processStartTime(pid) ?? ''}`, { mode: 0o600 }),
      remove: async () => {
        await rm(path, { recursive: true, force: true });
        await rm(record, { force: true });
      },
    };
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

/**
 * Kills the instances that processes which are gone left behind, and removes their run directories. To be called
 * at start. A pid is killed only if its start time is the recorded one and its command line names that run directory.
 * @returns how many processes were killed.
 */
export async function sweepRunDirectory(dataDir: string): Promise<number> {
  let killed = 0;
  for (const base of runtimeBases(dataDir)) {
    const run = join(base, 'run');
    for (const name of await readdir(run).catch(() => [])) {
      const path = join(run, name);
      if (!(await isAbandoned(path, name))) continue;
      killed += await killRecorded(path);
      await rm(path, { recursive: true, force: true });
    }
  }
  return killed;
}

/** A process that opens several has a number in the names of the later ones. */
export function ownName(): string {
  const start = Number(processStartTime(process.pid) ?? 0).toString(36);
  const number = opened++;
  return `${pidNamespace()}-${process.pid}-${start}${number === 0 ? '' : `-${number.toString(36)}`}`;
}

/** Whether the process of ours that is named so still runs; true when that cannot be known from here. */
export function isOfLivingProcess(name: string): boolean {
  const [namespace, pid, start] = name.split('-');
  if (namespace !== pidNamespace()) return true;
  const started = processStartTime(Number(pid));
  return started !== null && Number(started).toString(36) === start;
}

async function isAbandoned(path: string, name: string): Promise<boolean> {
  if (name.startsWith(`${pidNamespace()}-`)) return !isOfLivingProcess(name);
  const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
  return Date.now() - mtimeMs > foreignAgeMs;
}

async function killRecorded(path: string): Promise<number> {
  let killed = 0;
  for (const name of await readdir(path).catch(() => [])) {
    if (!name.endsWith('.pid')) continue;
    const [pid, start] = readFileSync(join(path, name), 'latin1').split(' ');
    if (processStartTime(Number(pid)) !== start || !commandLine(Number(pid)).includes(path)) continue;
    process.kill(Number(pid), 'SIGKILL');
    killed += 1;
  }
  return killed;
}
