import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { InstanceUsage } from './function-runtime.js';
import { runtimeLimits as limits } from './runtime-limits.js';

/** Whether what a process uses can be read from outside: without it there is neither a meter nor a limit on processor time. */
export const canMeter = process.platform === 'linux' && existsSync('/proc/self/schedstat');

/** Of this process's auxiliary vector (getauxval(3)): `statm` counts in pages and `stat` in ticks, which differ between machines. */
const pageBytes = canMeter ? readAuxiliary(6n, 4096) : 4096;
const tickMs = 1000 / (canMeter ? readAuxiliary(17n, 100) : 100);

const processors = availableParallelism();

/** Places in `stat`, counted from the field after the name. */
const statFields = { utime: 11, stime: 12, cutime: 13, cstime: 14 } as const;

const peakPattern = /VmHWM:\s+(\d+) kB/;
const residentPattern = /VmRSS:\s+(\d+) kB/;

/** What a thread did since it began; the rest of the time it slept. */
export interface ThreadTimes {
  readonly ranMs: number;
  /** It had something to do, and no processor was free. */
  readonly waitedMs: number;
}

/** An invocation that is being measured, and pays. */
interface Measurement {
  cpuMs: number;
  peakMemoryBytes: number | null;
}

/**
 * Reads what one process uses from `/proc`. Processor time comes from each thread's `schedstat`, which counts
 * nanoseconds; `/proc/<pid>/stat` counts in ticks of 10 ms. Descriptors stay open, because opening costs more than
 * reading. On hosts without `/proc` everything reads as null.
 *
 * All processor time is charged once: to the invocations that were being measured while it was used, in equal parts,
 * and else to nobody, which is told by {@link takeUnclaimedMs}. So all charges together are what the process used.
 *
 * What a process has used can hardly be read once it is gone: {@link look} often.
 */
export class ProcessMeter {
  readonly #root: string;
  readonly #buffer = Buffer.alloc(4096);
  readonly #files = new Map<string, number>();
  readonly #threads = new Map<string, { fd: number; nanoseconds: number }>();
  readonly #measurements = new Set<Measurement>();
  #endedThreadsNanoseconds = 0;
  /** What has been charged, to invocations or to nobody. */
  #chargedMs = 0;
  #unclaimedMs = 0;
  /** Of the monotonic clock. */
  #lookedAtMs = performance.now();
  #threadsListedAtMs = -Infinity;
  #memoryLookedAtMs = -Infinity;
  #peakBytes: number | null = null;
  #residentBytes: number | null = null;
  #open: boolean;

  constructor(private readonly pid: number) {
    this.#root = `/proc/${pid}`;
    this.#open = canMeter;
    takeReapedCpuMs();
  }

  /** Begins to measure an invocation; the returned function ends that and tells what it is charged with. */
  begin(): () => InstanceUsage {
    this.#lookIfDue();
    if (this.#residentBytes !== this.#peakBytes && !this.isPaid) this.#resetPeak();
    const measurement: Measurement = { cpuMs: 0, peakMemoryBytes: this.#residentBytes };
    this.#measurements.add(measurement);
    return () => {
      // The last to end takes all that is left: between invocations nobody pays.
      if (this.#measurements.size === 1) this.#charge();
      this.#lookIfDue();
      this.#measurements.delete(measurement);
      const { cpuMs, peakMemoryBytes } = measurement;
      return { cpuMs: canMeter ? cpuMs : null, peakMemoryBytes };
    };
  }

  /** Reading costs as much as a small function: of what happens within a millisecond all who pay then pay their part. */
  #lookIfDue(): void {
    const now = performance.now();
    if (now - this.#lookedAtMs >= limits.meterMs) this.#charge();
    if (now - this.#memoryLookedAtMs >= limits.memoryMeterMs) this.#lookAtMemory();
  }

  /** Whether an invocation pays for what the process uses now. */
  get isPaid(): boolean {
    return this.#measurements.size > 0;
  }

  /** Notes and charges what was used so far. */
  look(): void {
    if (this.isPaid) this.#lookAtMemory();
    this.#charge();
  }

  /** The most that an invocation under way was charged with, at the last look. */
  highestCpuMs(): number {
    let highest = 0;
    for (const { cpuMs } of this.#measurements) highest = Math.max(highest, cpuMs);
    return highest;
  }

  /** Looks, if about as much as `leastMs` was used since the last time. */
  lookRoughly(leastMs: number): void {
    const usedMs = this.roughCpuMs() ?? 0;
    this.#lookedAtMs = performance.now();
    if (usedMs - this.#chargedMs >= leastMs) this.look();
  }

  /** Processor time that no invocation pays, since the last time; none while it is less than `leastMs`. */
  takeUnclaimedMs(leastMs: number): number {
    if (this.#unclaimedMs < leastMs) return 0;
    const takenMs = this.#unclaimedMs;
    this.#unclaimedMs = 0;
    return takenMs;
  }

  /** Processor time of all threads there ever were, in ticks: cheap to read. Null when that cannot be read. */
  roughCpuMs(): number | null {
    const stat = this.#read('stat');
    return stat === null ? null : ticksIn(stat, 'utime', 'stime') * tickMs;
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

  /** To be called at once when the process has ended. */
  close(): void {
    if (!this.#open) return;
    this.#chargeLastMoments();
    this.#open = false;
    for (const fd of this.#files.values()) closeSync(fd);
    for (const thread of this.#threads.values()) closeSync(thread.fd);
  }

  #charge(): void {
    if (!this.#open) return;
    this.#spend(this.#cpuMs() - this.#chargedMs);
    this.#lookedAtMs = performance.now();
  }

  /**
   * What a process used that ended by itself after the last look is in the sum that the kernel keeps of our ended
   * children. Others may be in it that ended meanwhile, so no more is taken than all processors could give.
   */
  #chargeLastMoments(): void {
    const mostMs = (performance.now() - this.#lookedAtMs) * processors;
    this.#spend(Math.min(takeReapedCpuMs() - 2 * tickMs - this.#chargedMs, mostMs));
  }

  #spend(spentMs: number): void {
    if (spentMs <= 0) return;
    this.#chargedMs += spentMs;
    if (!this.isPaid) this.#unclaimedMs += spentMs;
    for (const measurement of this.#measurements) measurement.cpuMs += spentMs / this.#measurements.size;
  }

  /** Processor time since the process began. */
  #cpuMs(): number {
    this.#readThreads();
    let nanoseconds = this.#endedThreadsNanoseconds;
    for (const thread of this.#threads.values()) nanoseconds += thread.nanoseconds;
    // Threads that came and went between two looks are in the process's sum alone, which is rounded.
    return Math.max(nanoseconds / 1e6, (this.roughCpuMs() ?? 0) - 2 * tickMs);
  }

  /** Brings the peaks of all measurements up to date. */
  #lookAtMemory(): void {
    this.#memoryLookedAtMs = performance.now();
    const status = this.#read('status') ?? '';
    const peakBytes = bytesOf(peakPattern.exec(status));
    this.#peakBytes = peakBytes;
    for (const measurement of this.#measurements) {
      if (peakBytes === null) break;
      measurement.peakMemoryBytes = Math.max(measurement.peakMemoryBytes ?? 0, peakBytes);
    }
    this.#residentBytes = bytesOf(residentPattern.exec(status));
  }

  /** Lets the peak start from what is resident now (proc(5), clear_refs 5). Without permission the peak is that of its life. */
  #resetPeak(): void {
    try {
      if (this.#open) writeFileSync(`${this.#root}/clear_refs`, '5');
      this.#peakBytes = this.#residentBytes;
    } catch {
      // Not permitted, or gone.
    }
  }

  #readThreads(): void {
    // Listing costs more than reading; a new thread is counted from its beginning when it is seen.
    const now = performance.now();
    if (now - this.#threadsListedAtMs >= limits.lookMs / 2) {
      this.#threadsListedAtMs = now;
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

/** The sum of fields of `stat`, proc(5); the name before them, in brackets, may hold anything. */
function ticksIn(stat: string, ...names: (keyof typeof statFields)[]): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return names.reduce((sum, name) => sum + Number(fields[statFields[name]]), 0);
}

let reapedCpuMs = 0;

/** Processor time of the children of this process that have ended since this was asked last, over all their lives. */
function takeReapedCpuMs(): number {
  if (!canMeter) return 0;
  const beforeMs = reapedCpuMs;
  reapedCpuMs = ticksIn(readFileSync('/proc/self/stat', 'latin1'), 'cutime', 'cstime') * tickMs;
  return reapedCpuMs - beforeMs;
}

/** The first field of `schedstat`: time spent on a processor. */
function nanosecondsOf(schedstat: string): number {
  return Number(schedstat.slice(0, schedstat.indexOf(' ')));
}

/** AT_PAGESZ is 6, AT_CLKTCK 17. */
function readAuxiliary(type: bigint, otherwise: number): number {
  const vector = readFileSync('/proc/self/auxv');
  for (let offset = 0; offset + 16 <= vector.length; offset += 16) {
    if (vector.readBigUInt64LE(offset) === type) return Number(vector.readBigUInt64LE(offset + 8));
  }
  return otherwise;
}
