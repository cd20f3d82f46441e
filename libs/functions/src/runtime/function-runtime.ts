import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { Cancellation } from '../cancellation.js';
import type { EgressSecret } from './egress/egress-secrets.js';
import type { Traffic } from './traffic.js';

/** Starts processes that each run one deployment of one function. */
export interface FunctionRuntime {
  /** What this host really gives, for `/health`. */
  isolation(): IsolationReport;
  /** What connections to declared hosts carried so far, where they pass through our hands. */
  egress(): { readonly sentBytes: number; readonly receivedBytes: number };
  /** Gets ready for functions that reach the API at this port; where that is not called, first starts take longer. */
  prepare(api: { readonly port: number }): Promise<void>;
  /**
   * Starts one process and resolves when it accepts requests.
   * @throws AppError `BOOT_ERROR` (503) when the module fails, never listens or the host cannot start it; its
   * `details` are the end of what the process wrote to standard error.
   */
  start(spec: InstanceSpec): Promise<FunctionInstance>;
  /** Kills every instance and removes this process's run directory. */
  close(): Promise<void>;
}

/** The module that is run: it stands for all modules of the sources, where the entry point was. */
export const mainFile = 'main.js';

export interface InstanceSpec {
  /** Identifies the immutable code: the same id always means the same files. */
  readonly deploymentId: string;
  readonly functionSlug: string;
  /**
   * What the function may read, by plain path: the bundled module as `main.js`, and what lies beside it. Asked for only
   * when this host does not yet have the deployment on disk.
   */
  files(): Promise<ReadonlyMap<string, Uint8Array>>;
  /** All that the function sees of an environment. Names in `reservedEnvironmentName` are refused. */
  readonly env: Readonly<Record<string, string>>;
  /** `host`, `host:port` or `*.host` that may be connected to; without a port 443 and 80 are meant. */
  readonly allowedHosts: readonly string[];
  /** Secrets that are put into requests to some of these on their way out; only where the host allows namespaces. */
  readonly egressSecrets?: readonly EgressSecret[];
  /** Where the function reaches the project's API. `accept` takes a connection to it, if this process serves it. */
  readonly api: { readonly host: string; readonly port: number; accept?(socket: Socket): boolean };
  /** Leads to the project's PostgreSQL, at 127.0.0.1; only of functions that declare it. */
  readonly database?: { readonly port: number; accept(socket: Socket): void };
  readonly limits: {
    /** Private memory of the process. A process beyond it is killed as `memory-limit`. */
    readonly memoryBytes: number;
    /** From spawn to listening. Default and upper bound: `runtimeLimits.bootTimeoutMs`. */
    readonly bootTimeoutMs?: number;
    /** Processor time of one invocation. A process in which one goes beyond it is killed as `cpu-limit`. */
    readonly cpuMs?: number | undefined;
  };
  /** Called for each record that the function logs, at most `runtimeLimits.logLinesPerWindow` in a window. */
  onLog(line: LogLine): void;
  /** Called now and then with what the process used outside of any measurement, and with `starts` 1 once it listens. */
  onBackground?(usage: UnclaimedUsage): void;
  /** Called with each end of a connection to a declared host, where they pass through our hands. */
  onCarried?(bytes: CarriedBytes): void;
  /** Names the places of the sources in a stack that names those of the code, `main.js:1:7`; never rejects. */
  translateStack(stack: string): string | Promise<string>;
  /** Called with each start of an instance; what comes of it is the caller's all the same. */
  onStart?(starting: Promise<FunctionInstance>): void;
}

/** Processor time that no invocation pays. */
interface UnclaimedUsage {
  readonly starts: number;
  /** From spawn to listening. */
  readonly bootCpuMs: number;
  /** After that. */
  readonly idleCpuMs: number;
}

/** What a connection to a declared host carried, TLS and all. */
interface CarriedBytes {
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** Control characters other than tab and newline are escaped. */
  readonly message: string;
  readonly at: Date;
  /** The invocation that wrote it; null while booting, or when that cannot be told. */
  readonly invocationId: string | null;
}

export interface FunctionInstance {
  /** Unique among all instances of all processes. */
  readonly id: string;
  readonly pid: number;
  readonly startedAt: Date;
  /** Spawn to listening, in milliseconds. */
  readonly bootMs: number;
  /** Sends one request. Fails with AppError `WORKER_LIMIT` (546) or `WORKER_ERROR` (500) when the process does. */
  invoke(request: InvocationRequest): Promise<InvocationResponse>;
  /**
   * Resolves when the function's handler has returned that was called for an invocation whose connection broke, or the
   * process is gone. Until then the handler may hold the process's only thread. The function's own claim: bound it by
   * time.
   */
  handlerEnded(invocationId: string): Promise<void>;
  /** True while a promise given to `EdgeRuntime.waitUntil` is pending. The function's own claim: bound it by time. */
  readonly hasBackgroundWork: boolean;
  /** Resolves when no background work is pending, another invocation runs or the process is gone. */
  backgroundEnded(): Promise<void>;
  /**
   * True when no invocation runs and yet the process keeps its main thread busy. Unless it does so in announced
   * background work that is being measured, it is killed soon.
   */
  isSpinning(): boolean;
  /** Resolves when it does not spin any more, or is gone. */
  calm(): Promise<void>;
  /** Begins a measurement; the returned function ends it and tells what the process used since. */
  startMeter(): () => InstanceUsage;
  /** True from the moment that it is killed or has ended: it must be given no more work. */
  readonly stopping: boolean;
  /** Resolves, never rejects, once the process is gone. */
  readonly exited: Promise<InstanceExit>;
  /** Set when `exited` has resolved. */
  readonly exit: InstanceExit | null;
  /** Sends SIGKILL (a function may ignore SIGTERM). The first reason given is the one reported. */
  kill(reason: KillReason): void;
}

export interface InvocationRequest {
  /** Which invocation log records belong to. */
  readonly invocationId: string;
  readonly method: string;
  /** Path and query as the function should see them. */
  readonly path: string;
  /** `host` and `x-forwarded-proto` make up the URL that the function sees. Names are in lower case; hop-by-hop headers are dropped. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readable | Buffer | string | null;
  /** Closes the connection, which aborts `request.signal` inside the function. */
  readonly cancellation: Cancellation | null;
  /** Counts the bodies. */
  readonly traffic?: Traffic;
  /** Asks the function to make a WebSocket of the connection; it may refuse with any other answer. */
  readonly isUpgrade?: boolean;
}

export interface InvocationResponse {
  readonly status: number;
  readonly headers: Record<string, string | string[]>;
  /**
   * All of it, when it came at once; else a stream that must be read to its end or destroyed. That ends in an error when
   * the process dies. Of a WebSocket it is an empty stream, and ends with it.
   */
  readonly body: Buffer | Readable;
  /** The connection to the function, when it answered 101. Whoever is given it must end it. */
  readonly socket?: Socket;
}

/**
 * Measured outside the sandbox. Several invocations at once in one instance share its processor time in equal parts.
 * Of a process that died by itself these are the numbers of the last look, at most `runtimeLimits.lookMs` before its
 * end.
 */
export interface InstanceUsage {
  /** Processor time of all threads, in milliseconds; null where the host cannot tell (not Linux). */
  readonly cpuMs: number | null;
  /** Highest resident set, including file pages shared with other instances; null where the host cannot tell. */
  readonly peakMemoryBytes: number | null;
}

export type KillReason =
  | 'idle'
  | 'evicted'
  | 'cancelled'
  | 'wall-time'
  | 'cpu-limit'
  | 'memory-limit'
  | 'spinning'
  | 'boot-timeout'
  | 'removed'
  | 'shutdown';

export interface InstanceExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** `exit`: it ended by itself with code 0; `crash`: it ended by itself in any other way. */
  readonly reason: KillReason | 'exit' | 'crash';
}

export interface IsolationReport {
  /** Name and version of what runs the code. */
  readonly runtime: string;
  /** Each function runs under a user id of its own that owns nothing but its socket and code cache. */
  readonly separateUser: boolean;
  /** No capabilities, and no way to gain privileges through set-user-id programs. */
  readonly noNewPrivileges: boolean;
  /** The kernel kills instances when this process dies, however it dies. */
  readonly diesWithParent: boolean;
  /**
   * `cgroup`: the kernel bounds all memory of the process; `kernel`: a resource limit bounds what can be allocated;
   * `watched`: looked at every `lookMs`; `heap`: V8's heap only.
   */
  readonly memory: 'cgroup' | 'kernel' | 'watched' | 'heap';
  /** `namespace`: one of its own; `permissions`: only what the runtime's permission flags refuse. */
  readonly network: 'namespace' | 'permissions';
  readonly files: 'namespace' | 'permissions';
  /** `filtered`: calls that reach beyond the process are refused by the kernel. */
  readonly systemCalls: 'filtered' | 'all';
  /** One sentence for each protection that this host lacks. */
  readonly missing: readonly string[];
}

/**
 * In one word: `strong`: nothing of the host is within reach but what the function declared, and no system call with
 * which to reach for it; `user`: a user id of its own; `process`: no more than a process.
 */
export function isolationLevel(report: IsolationReport): 'strong' | 'user' | 'process' {
  const { memory, network, files, systemCalls, noNewPrivileges, separateUser } = report;
  const isBounded = noNewPrivileges && (memory === 'cgroup' || memory === 'kernel');
  if (!isBounded) return 'process';
  if (network === 'namespace' && files === 'namespace' && systemCalls === 'filtered') return 'strong';
  return separateUser ? 'user' : 'process';
}
