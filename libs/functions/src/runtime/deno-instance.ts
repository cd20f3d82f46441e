import type { ChildProcess } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { buildConnector, Pool } from 'undici';
import { AppError, newId } from '#libs/platform';
import type {
  FunctionInstance,
  InstanceExit,
  InstanceSpec,
  InstanceUsage,
  InvocationRequest,
  InvocationResponse,
  KillReason,
  LogLine,
} from './function-runtime.js';
import { invocationError, requestHeaders, responseHeaders } from './invocation.js';
import { droppedMessage, LogGate, readLogRecords } from './log-reader.js';
import { ProcessMeter } from './process-meter.js';
import { firstConnection } from './readiness.js';
import { runtimeLimits as limits } from './runtime-limits.js';

/** After the process's end its last output may still be in the pipe; a paused pipe is not waited for longer. */
const lastOutputMs = 100;
/** A connection breaks a little before the end of its process is known. */
const exitNoticeMs = 500;

/** One running Deno process and the connections to it. */
export class DenoInstance implements FunctionInstance {
  readonly id = newId();
  readonly pid: number;
  readonly startedAt = new Date();
  readonly exited: Promise<InstanceExit>;
  exit: InstanceExit | null = null;
  hasBackgroundWork = false;
  bootMs = 0;
  /** The end of standard error, for explaining a failed boot. */
  stderrTail = '';
  readonly #meter: ProcessMeter;
  readonly #connections: Pool;
  readonly #gate = new LogGate();
  readonly #running = new Set<string>();
  #lastInvocationId: string | null = null;
  #firstSocket: Socket | null = null;
  #killReason: KillReason | null = null;

  constructor(
    private readonly child: ChildProcess,
    private readonly socketPath: string,
    private readonly spec: InstanceSpec,
  ) {
    this.pid = child.pid!;
    // Breaks with the process, whose end is told by `exited`.
    child.stdin!.on('error', () => {});
    this.#meter = new ProcessMeter(this.pid);
    this.exited = this.#watchExit();
    this.#readLogs(child.stdout!, 'info');
    this.#readLogs(child.stderr!, 'error');
    child.stderr!.on('data', (chunk: Buffer) => {
      this.stderrTail = (this.stderrTail + chunk.toString('utf8')).slice(-limits.stderrTailChars);
    });
    this.#connections = new Pool('http://function', {
      connect: (_options, callback) => this.#connect(callback),
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: 600_000,
      keepAliveMaxTimeout: 600_000,
      maxHeaderSize: limits.responseHeaderBytes,
    });
  }

  /** Waits until the function listens. @throws AppError `BOOT_ERROR`, after which the process is gone. */
  async boot(): Promise<void> {
    const began = performance.now();
    const timeoutMs = Math.min(this.spec.limits.bootTimeoutMs ?? limits.bootTimeoutMs, limits.bootTimeoutMs);
    const stop = new AbortController();
    const timer = setTimeout(
      () => stop.abort(bootError(`it did not listen within ${timeoutMs} ms`, '')),
      timeoutMs,
    );
    void this.exited.then((exit) => stop.abort(bootError(describeExit(exit), this.stderrTail)));
    try {
      this.#firstSocket = await firstConnection(this.socketPath, stop.signal);
      this.bootMs = performance.now() - began;
    } catch (error) {
      this.kill('boot-timeout');
      await this.exited;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async invoke(request: InvocationRequest): Promise<InvocationResponse> {
    if (this.exit) throw invocationError(this.exit, undefined);
    this.#running.add(request.invocationId);
    this.#lastInvocationId = request.invocationId;
    try {
      const response = await this.#connections.request({
        method: request.method as 'GET',
        path: request.path,
        headers: requestHeaders(request),
        body: request.body,
        signal: request.signal,
      });
      response.body.once('close', () => this.#running.delete(request.invocationId));
      return { status: response.statusCode, headers: responseHeaders(response.headers), body: response.body };
    } catch (error) {
      this.#running.delete(request.invocationId);
      if (request.signal?.aborted) throw request.signal.reason;
      throw invocationError(await this.#exitSoon(), error);
    }
  }

  startMeter(): () => InstanceUsage {
    this.#meter.resetPeak();
    const began = this.#meter.cpuMs();
    return () => {
      const { cpuMs, peakMemoryBytes } = this.#meter.usage();
      return { cpuMs: cpuMs === null || began === null ? null : cpuMs - began, peakMemoryBytes };
    };
  }

  /** Kills the process when it holds more private memory than its limit. */
  checkMemory(): void {
    const bytes = this.#meter.privateMemoryBytes();
    if (bytes !== null && bytes > this.spec.limits.memoryBytes) this.kill('memory-limit');
  }

  get stopping(): boolean {
    return (
      this.exit !== null ||
      this.#killReason !== null ||
      this.child.exitCode !== null ||
      this.child.signalCode !== null
    );
  }

  kill(reason: KillReason): void {
    if (this.exit || this.#killReason) return;
    this.#killReason = reason;
    // Last chance: what a process has used cannot be read once it is gone.
    this.#meter.usage();
    this.child.kill('SIGKILL');
  }

  #watchExit(): Promise<InstanceExit> {
    return new Promise((resolve) => {
      this.child.once('exit', (code, signal) => {
        this.#meter.close();
        const finish = () => {
          clearTimeout(timer);
          this.exit ??= { code, signal, reason: this.#exitReason(code, signal) };
          this.hasBackgroundWork = false;
          this.#tellDropped();
          this.#firstSocket?.destroy();
          void this.#connections.destroy();
          resolve(this.exit);
        };
        const timer = setTimeout(finish, lastOutputMs);
        this.child.once('close', finish);
      });
    });
  }

  #exitReason(code: number | null, signal: string | null): InstanceExit['reason'] {
    if (this.#killReason) return this.#killReason;
    // V8 aborts the process when its heap is full.
    if (signal && /out of memory/i.test(this.stderrTail)) return 'memory-limit';
    return code === 0 ? 'exit' : 'crash';
  }

  async #exitSoon(): Promise<InstanceExit | null> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => (timer = setTimeout(() => resolve(null), exitNoticeMs)));
    const exit = await Promise.race([this.exited, late]);
    clearTimeout(timer);
    return exit;
  }

  #connect(callback: buildConnector.Callback): void {
    const first = this.#firstSocket;
    this.#firstSocket = null;
    // undici does not expect to be called back before its call has returned.
    if (first && !first.destroyed) return queueMicrotask(() => callback(null, first));
    const socket = connect(this.socketPath);
    const onError = (error: Error) => callback(error, null);
    socket.once('error', onError);
    socket.once('connect', () => {
      socket.off('error', onError);
      callback(null, socket);
    });
  }

  #readLogs(stream: Readable, level: LogLine['level']): void {
    readLogRecords(stream, level, this.#gate, {
      onRecord: (recordLevel, message) => this.#log(recordLevel, message),
      onBackground: (pending) => (this.hasBackgroundWork = pending),
    });
  }

  #log(level: LogLine['level'], message: string): void {
    // What was written while nothing runs came from the last one, in the background or a moment before its answer.
    const invocationId = this.#running.size > 1 ? null : this.#lastInvocationId;
    this.spec.onLog({ level, message, at: new Date(), invocationId });
  }

  #tellDropped(): void {
    const dropped = this.#gate.takeDropped();
    if (dropped > 0) this.#log('warn', droppedMessage(dropped));
  }
}

function describeExit(exit: InstanceExit): string {
  return exit.reason === 'memory-limit'
    ? 'it used more memory than its limit'
    : `its process ended with ${exit.signal ?? `code ${exit.code}`}`;
}

function bootError(what: string, stderr: string): AppError {
  const message = `The function did not start: ${what}.`;
  return new AppError({ code: 'BOOT_ERROR', status: 503, message, details: stderr.trim() || undefined });
}
