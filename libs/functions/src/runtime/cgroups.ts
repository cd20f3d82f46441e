import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isOfLivingProcess } from './run-directory.js';

const prefix = 'galley-';
const serverGroup = 'galley_server';
/** Beyond the function's own memory: pages of files that it was the first to touch, and the kernel's for it. */
const overheadBytes = 64 * 1024 * 1024;

/** Bounds of the kernel on one process. */
export interface Cgroup {
  /**
   * Bounds the process `pid`, if it has not ended, from when it resolves on. The kernel waits for each of its processors
   * meanwhile: ten milliseconds, in which the process goes on and nobody here should stand still.
   * @throws Error of the file system
   */
  enter(pid: number): Promise<void>;
  setMemory(memoryBytes: number): void;
  /** True when the kernel killed the process because it was out of memory. */
  ranOutOfMemory(): boolean;
  /** To be called when the process has ended. */
  remove(): void;
}

/** File names of the two versions (cgroup-v1/memory.rst and cgroup-v2.rst of the kernel's documentation). */
interface Version {
  readonly name: 'v1' | 'v2';
  readonly memoryLimit: string;
  readonly swapLimit: string;
  readonly events: string;
}

const versions: Record<'v1' | 'v2', Version> = {
  v1: {
    name: 'v1',
    memoryLimit: 'memory.limit_in_bytes',
    swapLimit: 'memory.memsw.limit_in_bytes',
    events: 'memory.oom_control',
  },
  v2: {
    name: 'v2',
    memoryLimit: 'memory.max',
    swapLimit: 'memory.swap.max',
    events: 'memory.events',
  },
};

/**
 * Control groups for functions' processes, below the group that this process is in, where the host lets us make any.
 * They bound memory and threads. Processor time is left to the scheduler, which is fair to each process: a group would
 * weigh as much as one task of the rest of the host, however many functions are in it.
 */
export class Cgroups {
  private constructor(
    readonly version: Version,
    /** Where groups are made, by controller; of version 2 there is one place for all. */
    private readonly roots: { readonly memory: string; readonly pids: string },
    private readonly threads: number,
  ) {}

  /** @param name of the group below which instances have theirs: that of this process's run directory */
  static detect(name: string, threads: number, mounted = '/sys/fs/cgroup', own = readOwn()): Cgroups | null {
    try {
      const groups = existsSync(join(mounted, 'cgroup.controllers'))
        ? versionTwo(mounted, own, prefix + name, threads)
        : versionOne(mounted, own, prefix + name, threads);
      // Whatever is missing shows itself with the first process.
      groups.#make('probe').remove();
      groups.#sweep();
      return groups;
    } catch {
      return null;
    }
  }

  static of(version: 'v1' | 'v2', roots: Cgroups['roots'], threads: number): Cgroups {
    return new Cgroups(versions[version], roots, threads);
  }

  /** A group for one process. */
  make(name: string, memoryBytes: number): Cgroup {
    const group = this.#make(name);
    group.setMemory(memoryBytes);
    return group;
  }

  /** Lets go of the group that holds all. */
  close(): void {
    for (const directory of new Set(Object.values(this.roots))) removeDirectory(directory);
  }

  /** Removes what processes of ours that were killed left behind. */
  #sweep(): void {
    for (const base of new Set(Object.values(this.roots).map(dirname))) {
      for (const group of readdirSync(base)) {
        if (!group.startsWith(prefix) || isOfLivingProcess(group.slice(prefix.length))) continue;
        for (const entry of readdirSync(join(base, group), { withFileTypes: true })) {
          if (entry.isDirectory()) removeDirectory(join(base, group, entry.name));
        }
        removeDirectory(join(base, group));
      }
    }
  }

  #directories(name: string): string[] {
    return [...new Set(Object.values(this.roots).map((root) => join(root, name)))];
  }

  #make(name: string): Cgroup {
    const directories = this.#directories(name);
    for (const directory of directories) mkdirSync(directory, { recursive: true });
    writeFileSync(join(this.roots.pids, name, 'pids.max'), `${this.threads}`);
    const memory = join(this.roots.memory, name);
    const { memoryLimit, swapLimit, events } = this.version;
    return {
      enter: async (pid) => {
        for (const directory of directories) await moveInto(directory, pid);
      },
      setMemory: (memoryBytes) => {
        writeFileSync(join(memory, memoryLimit), `${memoryBytes + overheadBytes}`);
        // Version 1 counts memory and swap together. Not every kernel accounts for swap.
        const swap = this.version.name === 'v1' ? memoryBytes + overheadBytes : 0;
        if (existsSync(join(memory, swapLimit))) writeFileSync(join(memory, swapLimit), `${swap}`);
      },
      ranOutOfMemory: () => /^oom_kill [1-9]/m.test(readFileSync(join(memory, events), 'utf8')),
      remove: () => directories.forEach(removeDirectory),
    };
  }
}

function readOwn(): string {
  return existsSync('/proc/self/cgroup') ? readFileSync('/proc/self/cgroup', 'utf8') : '';
}

function versionOne(mounted: string, own: string, name: string, threads: number): Cgroups {
  const rootOf = (controller: string) => {
    const [, path = '/'] = new RegExp(`^\\d+:(?:[^:]*,)?${controller}(?:,[^:]*)?:(.*)$`, 'm').exec(own) ?? [];
    const base = join(mounted, controller);
    const inside = join(base, path);
    const root = join(existsSync(inside) ? inside : base, name);
    mkdirSync(root, { recursive: true });
    return root;
  };
  return Cgroups.of('v1', { memory: rootOf('memory'), pids: rootOf('pids') }, threads);
}

/** A group with processes in it can have no groups with limits below it, so we make room by moving down ourselves. */
function versionTwo(mounted: string, own: string, name: string, threads: number): Cgroups {
  const [, path = '/'] = /^0::(.*?)(?:\/galley_server)?$/m.exec(own) ?? [];
  const inside = join(mounted, path);
  const base = existsSync(inside) ? inside : mounted;
  const controllers = '+memory +pids';
  const server = join(base, serverGroup);
  if (!readFileSync(join(base, 'cgroup.subtree_control'), 'utf8').includes('memory')) {
    mkdirSync(server, { recursive: true });
    writeFileSync(join(server, 'cgroup.procs'), `${process.pid}`);
    try {
      writeFileSync(join(base, 'cgroup.subtree_control'), controllers);
    } catch (error) {
      writeFileSync(join(base, 'cgroup.procs'), `${process.pid}`);
      removeDirectory(server);
      throw error;
    }
  }
  const root = join(base, name);
  mkdirSync(root, { recursive: true });
  writeFileSync(join(root, 'cgroup.subtree_control'), controllers);
  return Cgroups.of('v2', { memory: root, pids: root }, threads);
}

async function moveInto(directory: string, pid: number): Promise<void> {
  try {
    await writeFile(join(directory, 'cgroup.procs'), `${pid}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function removeDirectory(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // A process of it is still ending; the next start sweeps it.
  }
}
