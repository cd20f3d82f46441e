import { closeSync, openSync, readdirSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import type { InstanceUsage } from './function-runtime.js';
import { runtimeLimits as limits } from './runtime-limits.js';

/** AT_PAGESZ of this process's auxiliary vector (getauxval(3)): `statm` counts in pages, which differ between machines. */
const pageBytes = process.platform === 'linux' ? readPageBytes() : 4096;

const peakPattern = /VmHWM:\s+(\d+) kB/;
const residentPattern = /VmRSS:\s+(\d+) kB/;

/** What a thread did since it began; the rest of the time it slept. */
export interface ThreadTimes {
  readonly ranMs: number;
  /** It had something to do, and no processor was free. */
  readonly waitedMs: number;
}

/** An invocation that is being measured. */
interface Measurement {
  readonly beganCpuMs: number | null;
  peakMemoryBytes: number | null;
}

/**
 * Reads what one process uses from `/proc`. Processor time comes from each thread's `schedstat`, which counts
 * nanoseconds; `/proc/<pid>/stat` counts in ticks of 10 ms. Descriptors stay open, because opening costs more than
 * reading. On hosts without `/proc` everything reads as null.
 *
 * What a process has used cannot be read once it is gone: {@link look} often, and the last look stands.
 */
export class ProcessMeter {
  readonly #root: string;
  readonly #buffer = Buffer.alloc(4096);
  readonly #files = new Map<string, number>();
  readonly #threads = new Map<string, { fd: number; nanoseconds: number }>();
  readonly #measurements = new Set<Measurement>();
  #endedThreadsNanoseconds = 0;
  #threadsListedAt = -Infinity;
  #peakBytes: number | null = null;
  #open: boolean;

  constructor(private readonly pid: number) {
    this.#root = `/proc/${pid}`;
    this.#open = process.platform === 'linux';
  }

  /** Begins to measure an invocation; the returned function ends that and tells what was used since. */
  begin(): () => InstanceUsage {
    const residentBytes = this.#lookAtMemory();
    if (residentBytes !== this.#peakBytes) this.#resetPeak();
    const measurement: Measurement = { beganCpuMs: this.#cpuMs(), peakMemoryBytes: residentBytes };
    this.#measurements.add(measurement);
    return () => {
      this.#lookAtMemory();
      this.#measurements.delete(measurement);
      const { beganCpuMs, peakMemoryBytes } = measurement;
      const cpuMs = this.#cpuMs();
      return { cpuMs: cpuMs === null || beganCpuMs === null ? null : cpuMs - beganCpuMs, peakMemoryBytes };
    };
  }

  /** Notes what was used so far, if anybody asks for it. */
  look(): void {
    if (this.#measurements.size === 0) return;
    this.#lookAtMemory();
    this.#cpuMs();
  }

  /** Memory of this process alone, without file pages it shares; null when that cannot be read. */
  privateMemoryBytes(): number | null {
    const fields = this.#read('statm')?.split(' ');
    return fields ? (Number(fields[1]) - Number(fields[2])) * pageBytes : null;
  }

  /** The main thread, which runs the function's JavaScript; null when that cannot be read. */
  mainThread(): ThreadTimes | null {
    const text = this.#read(`task/${this.pid}/schedstat`);
    if (text === null) return null;
    const [ranNanoseconds, waitedNanoseconds] = text.split(' ').map(Number);
    return { ranMs: ranNanoseconds! / 1e6, waitedMs: waitedNanoseconds! / 1e6 };
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const fd of this.#files.values()) closeSync(fd);
    for (const thread of this.#threads.values()) closeSync(thread.fd);
  }

  /** Processor time since the process began. After its end: the last value seen. */
  #cpuMs(): number | null {
    if (process.platform !== 'linux') return null;
    if (this.#open) this.#readThreads();
    let nanoseconds = this.#endedThreadsNanoseconds;
    for (const thread of this.#threads.values()) nanoseconds += thread.nanoseconds;
    return nanoseconds / 1e6;
  }

  /** Brings the peaks of all measurements up to date. @returns the resident set, in bytes */
  #lookAtMemory(): number | null {
    const status = this.#read('status') ?? '';
    const peakBytes = bytesOf(peakPattern.exec(status));
    this.#peakBytes = peakBytes;
    for (const measurement of this.#measurements) {
      if (peakBytes === null) break;
      measurement.peakMemoryBytes = Math.max(measurement.peakMemoryBytes ?? 0, peakBytes);
    }
    return bytesOf(residentPattern.exec(status));
  }

  /** Lets the peak start from what is resident now (proc(5), clear_refs 5). Without permission the peak is that of its life. */
  #resetPeak(): void {
    try {
      if (this.#open) writeFileSync(`${this.#root}/clear_refs`, '5');
    } catch {
      // Not permitted, or gone.
    }
  }

  #readThreads(): void {
    // Listing costs more than reading; a new thread is counted from its beginning when it is seen.
    const now = performance.now();
    if (now - this.#threadsListedAt >= limits.lookMs / 2) {
      this.#threadsListedAt = now;
      this.#listThreads();
    }
    for (const [id, thread] of this.#threads) this.#readThread(id, thread);
  }

  #listThreads(): void {
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
  }

  #readThread(id: string, thread: { fd: number; nanoseconds: number }): void {
    try {
      thread.nanoseconds = nanosecondsOf(this.#readDescriptor(thread.fd));
    } catch {
      // Its time still counts after it has ended.
      this.#endedThreadsNanoseconds += thread.nanoseconds;
      closeSync(thread.fd);
      this.#threads.delete(id);
    }
  }

  /** A file of the process's directory; null when the process is gone. */
  #read(name: string): string | null {
    if (!this.#open) return null;
    try {
      let fd = this.#files.get(name);
      if (fd === undefined) this.#files.set(name, (fd = openSync(`${this.#root}/${name}`, 'r')));
      return this.#readDescriptor(fd);
    } catch {
      return null;
    }
  }

  #readDescriptor(fd: number): string {
    const length = readSync(fd, this.#buffer, 0, this.#buffer.length, 0);
    if (length === 0) throw new Error('ended');
    return this.#buffer.toString('latin1', 0, length);
  }
}

function bytesOf(kilobytes: RegExpExecArray | null): number | null {
  return kilobytes && Number(kilobytes[1]) * 1024;
}

/** The first field of `schedstat`: time spent on a processor. */
function nanosecondsOf(schedstat: string): number {
  return Number(schedstat.slice(0, schedstat.indexOf(' ')));
}

function readPageBytes(): number {
  const vector = readFileSync('/proc/self/auxv');
  for (let offset = 0; offset + 16 <= vector.length; offset += 16) {
    if (vector.readBigUInt64LE(offset) === 6n) return Number(vector.readBigUInt64LE(offset + 8));
  }
  return 4096;
}
