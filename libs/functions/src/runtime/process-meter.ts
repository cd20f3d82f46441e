import { closeSync, openSync, readdirSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import type { InstanceUsage } from './function-runtime.js';

/** AT_PAGESZ of this process's auxiliary vector (getauxval(3)): `statm` counts in pages, which differ between machines. */
const pageBytes = process.platform === 'linux' ? readPageBytes() : 4096;

/**
 * Reads what one process uses from `/proc`. Processor time comes from each thread's `schedstat`, which counts
 * nanoseconds; `/proc/<pid>/stat` counts in ticks of 10 ms. Descriptors stay open, because opening costs more than
 * reading. On hosts without `/proc` everything reads as null.
 */
export class ProcessMeter {
  readonly #root: string;
  readonly #buffer = Buffer.alloc(256);
  readonly #threads = new Map<string, { fd: number; nanoseconds: number }>();
  #endedThreadsNanoseconds = 0;
  #statm: number | null = null;
  #open: boolean;
  #lastPeakBytes: number | null = null;

  constructor(pid: number) {
    this.#root = `/proc/${pid}`;
    this.#open = process.platform === 'linux';
  }

  /** Processor time since the process began. After its end: the last value seen. */
  cpuMs(): number | null {
    if (process.platform !== 'linux') return null;
    if (this.#open) this.#readThreads();
    let nanoseconds = this.#endedThreadsNanoseconds;
    for (const thread of this.#threads.values()) nanoseconds += thread.nanoseconds;
    return nanoseconds / 1e6;
  }

  /** The highest resident set since the last `resetPeak`. After the end of the process: the last value seen. */
  peakMemoryBytes(): number | null {
    if (!this.#open) return this.#lastPeakBytes;
    try {
      const highWater = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`${this.#root}/status`, 'latin1'));
      if (highWater) this.#lastPeakBytes = Number(highWater[1]) * 1024;
    } catch {
      // The process is gone: what was read before stands.
    }
    return this.#lastPeakBytes;
  }

  /** Lets the peak start from what is resident now (proc(5), clear_refs 5). Without permission the peak is that of its life. */
  resetPeak(): void {
    try {
      if (this.#open) writeFileSync(`${this.#root}/clear_refs`, '5');
    } catch {
      // Not permitted, or gone.
    }
  }

  /** Memory of this process alone, without file pages it shares; null when that cannot be read. */
  privateMemoryBytes(): number | null {
    if (!this.#open) return null;
    try {
      this.#statm ??= openSync(`${this.#root}/statm`, 'r');
      const fields = this.#read(this.#statm).split(' ');
      return (Number(fields[1]) - Number(fields[2])) * pageBytes;
    } catch {
      return null;
    }
  }

  usage(): InstanceUsage {
    return { cpuMs: this.cpuMs(), peakMemoryBytes: this.peakMemoryBytes() };
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    if (this.#statm !== null) closeSync(this.#statm);
    for (const thread of this.#threads.values()) closeSync(thread.fd);
  }

  #readThreads(): void {
    let ids: string[];
    try {
      ids = readdirSync(`${this.#root}/task`);
    } catch {
      return;
    }
    for (const id of ids) {
      if (this.#threads.has(id)) continue;
      try {
        this.#threads.set(id, { fd: openSync(`${this.#root}/task/${id}/schedstat`, 'r'), nanoseconds: 0 });
      } catch {
        // It ended between the listing and now.
      }
    }
    for (const [id, thread] of this.#threads) this.#readThread(id, thread);
  }

  #readThread(id: string, thread: { fd: number; nanoseconds: number }): void {
    try {
      const text = this.#read(thread.fd);
      thread.nanoseconds = Number(text.slice(0, text.indexOf(' ')));
    } catch {
      // Its time still counts after it has ended.
      this.#endedThreadsNanoseconds += thread.nanoseconds;
      closeSync(thread.fd);
      this.#threads.delete(id);
    }
  }

  #read(fd: number): string {
    const length = readSync(fd, this.#buffer, 0, this.#buffer.length, 0);
    if (length === 0) throw new Error('ended');
    return this.#buffer.toString('latin1', 0, length);
  }
}

function readPageBytes(): number {
  const vector = readFileSync('/proc/self/auxv');
  for (let offset = 0; offset + 16 <= vector.length; offset += 16) {
    if (vector.readBigUInt64LE(offset) === 6n) return Number(vector.readBigUInt64LE(offset + 8));
  }
  return 4096;
}
