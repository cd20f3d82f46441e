import { once } from 'node:events';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Readable } from 'node:stream';
import { AppError, newId, readBody } from '#libs/platform';
import { Cancellation } from '../cancellation.js';
import { bootError } from './boot-error.js';
import type { DenoProcess } from './deno-process.js';
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
import { IdleWatch } from './idle-watch.js';
import { InstanceConnections } from './instance-connections.js';
import { InstanceWork } from './instance-work.js';
import { checkStatus, invocationError, NotReached } from './invocation.js';
import { droppedMessage, LogGate } from './log-gate.js';
import { readLogRecords, unmarked } from './log-reader.js';
import { lastWordsOf } from './last-words.js';
import { marks, unloadMark } from './loader/protocol.js';
import { ProcessMeter } from './process-meter.js';
import { runtimeLimits as limits } from './runtime-limits.js';
import { askForWebSocket } from './web-socket.js';

/** After the process's end its last output may still be in the pipe; a paused pipe is not waited for longer. */
const lastOutputMs = 100;
/** A connection breaks a little before the end of its process is known. */
const exitNoticeMs = 500;
/** The end of a WebSocket by its function's side is rarely that of the process: it is not waited for as long. */
const socketEndMs = 150;

/** One running Deno process and the connections to it. */
export class DenoInstance implements FunctionInstance {
  readonly id = newId();
  readonly pid: number;
  readonly startedAt = new Date();
  readonly exited: Promise<InstanceExit>;
  exit: InstanceExit | null = null;
  bootMs = 0;
  /** Whether the process knows which function it is: from then on its code may have run. */
  isTold = false;
  /** Called with `host port` when the function says that nothing listens there. */
  onRefused: (destination: string) => void = () => {};
  /** The end of standard error, for explaining a failed boot. */
  #stderrTail = '';
  readonly #meter: ProcessMeter;
  readonly #idleWatch: IdleWatch;
  readonly #work: InstanceWork;
  readonly #connections: InstanceConnections;
  readonly #gate = new LogGate();
  #isBooted = false;
  #killReason: KillReason | null = null;
  #lastWordsTimer: NodeJS.Timeout | undefined;

  /** @param began when the instance was asked for, of the monotonic clock */
  constructor(
    private readonly process: DenoProcess,
    private readonly spec: InstanceSpec,
    private readonly began: number,
  ) {
    const { child, pid, cell } = process;
    this.pid = pid;
    this.#connections = new InstanceConnections(cell.paths.socket, cell.outside);
    this.#meter = new ProcessMeter(this.pid);
    this.#idleWatch = new IdleWatch(this.#meter);
    this.#work = new InstanceWork(() => this.#idleWatch.restart());
    this.exited = this.#watchExit();
    this.#readLogs(child.stdout!, 'info');
    this.#readLogs(child.stderr!, 'error');
    child.stderr!.on('data', (chunk: Buffer) => {
      this.#stderrTail = (this.#stderrTail + chunk.toString('utf8')).slice(-limits.stderrTailChars);
    });
  }

  /**
   * Tells the process which function it is, and waits until that serves.
   * @param socket a connection to the process, if there is one already
   * @throws AppError `BOOT_ERROR`, after which the process is gone
   */
  async boot(socket: Socket | null): Promise<void> {
    const timeoutMs = Math.min(this.spec.limits.bootTimeoutMs ?? limits.bootTimeoutMs, limits.bootTimeoutMs);
    const stop = new AbortController();
    const timer = setTimeout(
      () => stop.abort(notStarted(`it did not listen within ${timeoutMs} ms`)),
      timeoutMs,
    );
    void this.exited.then(async (exit) => {
      if (this.#isBooted) return;
      const lastWords = this.#withoutHostPaths(unmarked(this.#stderrTail));
      stop.abort(notStarted(describeExit(exit), await this.spec.translateStack(lastWords)));
    });
    try {
      this.#connections.use(socket ?? (await this.process.listening(stop.signal)));
      await this.#specialize(stop.signal);
      this.bootMs = performance.now() - this.began;
      this.#meter.look();
      this.spec.onBackground?.({ starts: 1, bootCpuMs: this.#meter.takeUnclaimedMs(0), idleCpuMs: 0 });
      this.#isBooted = true;
      this.#idleWatch.restart();
    } catch (error) {
      this.kill('boot-timeout');
      await this.exited;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async #specialize(signal: AbortSignal): Promise<void> {
    const { cell } = this.process;
    const { codeDirectory, nodeSocket } = cell.paths;
    const codeUrl = pathToFileURL(join(codeDirectory, 'main.js')).href;
    this.isTold = true;
    const answer = await this.#connections
      .request({
        invocationId: null,
        method: 'POST',
        path: '/',
        headers: {},
        body: JSON.stringify({ codeUrl, env: cell.enter ? this.spec.env : null }),
        cancellation: Cancellation.of(signal),
      })
      .then(({ body }) => (Buffer.isBuffer(body) ? body : readBody(body, limits.bootAnswerBytes)))
      .catch((error: unknown) => this.#explained(error, signal));
    // The function's own claim: it may have replaced what writes it.
    if (answer.toString() === 'node') this.#connections.moveTo(nodeSocket);
  }

  /** A connection breaks a little before the end of its process is known, which says why. */
  async #explained(error: unknown, signal: AbortSignal): Promise<never> {
    await this.#exitSoon(exitNoticeMs);
    // `stop` is aborted in turn, with what the process said at last.
    if (!signal.aborted && this.exit) await once(signal, 'abort');
    signal.throwIfAborted();
    throw notStarted(`it broke its connection: ${(error as Error).message}`);
  }

  async invoke(request: InvocationRequest): Promise<InvocationResponse> {
    if (this.exit) throw invocationError(this.exit, undefined);
    const { invocationId } = request;
    this.#work.begin(invocationId);
    try {
      const response = await this.#ask(request);
      if (Buffer.isBuffer(response.body)) this.#work.end(invocationId);
      else response.body.once('close', () => this.#work.end(invocationId));
      checkStatus(response);
      return response;
    } catch (error) {
      if (error instanceof NotReached) this.kill('removed');
      const reason = request.cancellation?.isCancelled
        ? request.cancellation.reason
        : error instanceof AppError
          ? error
          : invocationError(await this.#exitSoon(exitNoticeMs), error);
      this.#work.end(invocationId);
      throw reason;
    }
  }

  #ask(request: InvocationRequest): Promise<InvocationResponse> {
    return request.isUpgrade ? this.#askForWebSocket(request) : this.#connections.request(request);
  }

  #askForWebSocket(request: InvocationRequest): Promise<InvocationResponse> {
    return askForWebSocket(this.#connections.socketPath, request, async () => {
      const exit = await this.#exitSoon(socketEndMs);
      return exit && invocationError(exit, undefined);
    });
  }

  handlerEnded(invocationId: string): Promise<void> {
    const ended = this.#work.handlerEnded(invocationId);
    this.process.child.stdin!.write(`${invocationId}\n`);
    return ended;
  }

  get hasBackgroundWork(): boolean {
    return this.#work.hasBackground;
  }

  backgroundEnded(): Promise<void> {
    return this.#work.backgroundEnded();
  }

  isSpinning(): boolean {
    return this.#isBooted && !this.#work.isAsked && this.#idleWatch.isSpinning();
  }

  calm(): Promise<void> {
    return this.exit ? Promise.resolve() : this.#idleWatch.calm();
  }

  startMeter(): () => InstanceUsage {
    return this.#meter.begin();
  }

  /** Notes what the process uses, and kills it when that is too much, or time of which nobody asked. */
  look(): void {
    if (this.stopping && !this.#lastWordsTimer) return;
    const bytes = this.#meter.privateMemoryBytes();
    const isTooLarge = bytes !== null && bytes > this.spec.limits.memoryBytes;
    if (this.#lastWordsTimer && isTooLarge) return this.#end();
    if (isTooLarge) this.kill('memory-limit');
    if (this.#meter.isPaid || !this.#isBooted) {
      this.#meter.look();
      if (this.#meter.highestCpuMs() > (this.spec.limits.cpuMs ?? Infinity)) this.kill('cpu-limit');
    }
    if (!this.stopping && this.#isBooted && !this.#work.isAsked) this.#lookAtIdleness();
  }

  #lookAtIdleness(): void {
    const spins = this.#idleWatch.look();
    if (this.#meter.isPaid && this.hasBackgroundWork) return;
    if (spins || this.#idleWatch.isOverAllowance()) return this.kill('spinning');
    this.#meter.lookRoughly(limits.unclaimedCpuMs);
    this.#tellUnclaimed(limits.unclaimedCpuMs);
  }

  /** What no invocation pays is on the function's account all the same. */
  #tellUnclaimed(leastMs: number): void {
    const cpuMs = this.#meter.takeUnclaimedMs(leastMs);
    if (cpuMs === 0) return;
    const [bootCpuMs, idleCpuMs] = this.#isBooted ? [0, cpuMs] : [cpuMs, 0];
    this.spec.onBackground?.({ starts: 0, bootCpuMs, idleCpuMs });
  }

  get stopping(): boolean {
    return (
      this.exit !== null ||
      this.#killReason !== null ||
      this.process.child.exitCode !== null ||
      this.process.child.signalCode !== null
    );
  }

  kill(reason: KillReason): void {
    if (this.exit || this.#killReason) return;
    this.#killReason = reason;
    const lastWords = this.#isBooted ? lastWordsOf[reason] : undefined;
    if (!lastWords) return this.#end();
    this.#lastWordsTimer = setTimeout(() => this.#end(), lastWords.withinMs);
    this.process.child.stdin!.write(`${unloadMark}${lastWords.reason}\n`);
  }

  #end(): void {
    clearTimeout(this.#lastWordsTimer);
    // Last chance: what a process has used cannot be read once it is gone.
    this.#meter.look();
    this.process.child.kill('SIGKILL');
  }

  #watchExit(): Promise<InstanceExit> {
    const { child } = this.process;
    return new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        clearTimeout(this.#lastWordsTimer);
        this.#meter.close();
        const finish = () => {
          clearTimeout(timer);
          this.exit ??= { code, signal, reason: this.#exitReason(code, signal) };
          this.#work.close();
          this.#idleWatch.close();
          this.#tellDropped();
          this.#tellUnclaimed(0);
          this.#connections.close();
          resolve(this.exit);
        };
        const timer = setTimeout(finish, lastOutputMs);
        child.once('close', finish);
      });
    });
  }

  #exitReason(code: number | null, signal: string | null): InstanceExit['reason'] {
    if (this.#killReason) return this.#killReason;
    // V8 aborts the process when its heap is full.
    if (signal && (/out of memory/i.test(this.#stderrTail) || this.process.cgroup?.ranOutOfMemory())) {
      return 'memory-limit';
    }
    return code === 0 ? 'exit' : 'crash';
  }

  async #exitSoon(noticeMs: number): Promise<InstanceExit | null> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => (timer = setTimeout(() => resolve(null), noticeMs)));
    const exit = await Promise.race([this.exited, late]);
    clearTimeout(timer);
    return exit;
  }

  #readLogs(stream: Readable, level: LogLine['level']): void {
    readLogRecords(stream, level, this.#gate, {
      onRecord: (recordLevel, message, writerId) => this.#log(recordLevel, message, writerId),
      onNotice: (mark, what) => {
        if (mark === marks.refused) this.onRefused(what);
        else if (mark !== marks.unloaded) this.#work.onNotice(mark, what);
        else if (this.#lastWordsTimer) this.#end();
      },
    });
  }

  #log(level: LogLine['level'], message: string, writerId: string | null): void {
    this.spec.onLog({
      level,
      message: this.#withoutHostPaths(message),
      at: new Date(),
      invocationId: this.#work.writerId(writerId),
    });
  }

  /** Stacks name files by where this host keeps them. */
  #withoutHostPaths(text: string): string {
    const { codeDirectory, loader } = this.process.cell.paths;
    return text
      .replaceAll(pathToFileURL(join(codeDirectory, '/')).href, '')
      .replaceAll(pathToFileURL(loader).href, 'galley:loader');
  }

  #tellDropped(): void {
    const dropped = this.#gate.takeDropped();
    if (dropped > 0) this.#log('warn', droppedMessage(dropped), null);
  }
}

function describeExit(exit: InstanceExit): string {
  return exit.reason === 'memory-limit'
    ? 'it used more memory than its limit'
    : `its process ended with ${exit.signal ?? `code ${exit.code}`}`;
}

function notStarted(why: string, stderr = '') {
  return bootError(`The function did not start: ${why}.`, { details: stderr.trim() || undefined });
}
