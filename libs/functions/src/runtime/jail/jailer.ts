import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, realpathSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { runtimeLimits as limits } from '../runtime-limits.js';
import type {
  JailerReply,
  JailerRequest,
  JailerSetup,
  JailOrder,
  NamespaceDescriptors,
  VisiblePath,
} from './jailer-messages.js';

/** Where things are in a jail. */
export const jailPaths = {
  deno: '/galley/deno',
  loader: '/galley/loader/loader.js',
  authorities: '/galley/loader/authorities.pem',
  code: '/i/code',
  run: '/i/run',
} as const;

/** A place for one process: it sees nothing of the host but libraries, and the network is the sockets of `doors`. */
export interface Jail {
  readonly name: string;
  readonly uid: number | null;
  /** The jail's `/i` as the server sees it; `/proc/<pid>/root/i` of a process in the jail is the same. */
  readonly path: string;
  /** Arguments of `nsenter` for beginning a process there; good until `letGo`. */
  readonly enter: readonly string[];
  /** What connections from inside the jail arrive at. Their local address and port are what the function asked for. */
  readonly doors: readonly Server[];
  /** What datagrams arrive at; null where none are taken. */
  readonly datagrams: DatagramSocket | null;
  /** Whether `path` is still there to see: it goes with the jailer, the jail with its process. */
  isKept(): boolean;
  /** To be called when a process is in the jail: it keeps the namespaces from then on. */
  letGo(): void;
  remove(): void;
}

interface Making {
  readonly doors: Server[];
  datagrams: DatagramSocket | null;
  resolve(namespaces: NamespaceDescriptors): void;
  reject(error: Error): void;
}

/**
 * Makes jails by means of a program of ours that may, `jailer.program.ts`. As root it makes them in our own user
 * namespace, so that each can have a user id of its own; else in a new one, where this host lets anybody have one.
 */
export class Jailer {
  #process: ChildProcess | null = null;
  #started: Promise<void> | null = null;
  #rootFd = -1;
  readonly #making = new Map<string, Making>();
  #next = 0;
  #isClosed = false;

  constructor(
    private readonly options: {
      readonly deno: string;
      readonly nsenter: string;
      /** Null: we are root. */
      readonly unshare: string | null;
      /** An empty directory, made if it is not there. */
      readonly root: string;
      /** Beside libraries and Deno. */
      readonly visible: readonly VisiblePath[];
      readonly hidden: readonly string[];
      /** Where the directories are that orders name as their `tree`. */
      readonly trees?: string;
    },
  ) {}

  /** @throws Error when the host does not allow it, or too late. */
  async make(order: Omit<JailOrder, 'jail'>): Promise<Jail> {
    if (this.#isClosed) throw new Error('The jailer was closed.');
    await (this.#started ??= this.#start());
    const { pid } = this.#process!;
    const name = (this.#next++).toString(36);
    const making: Making = { doors: [], datagrams: null, resolve: () => {}, reject: () => {} };
    const timeout = setTimeout(
      () => this.#fail(new Error('The jailer does not answer.')),
      limits.bootTimeoutMs,
    );
    try {
      const namespaces = await new Promise<NamespaceDescriptors>((resolve, reject) => {
        this.#making.set(name, Object.assign(making, { resolve, reject }));
        this.#tell({ make: { jail: name, ...order } });
      });
      return this.#jail({
        name,
        uid: this.options.unshare ? null : order.uid,
        pid: pid!,
        namespaces,
        doors: making.doors,
        datagrams: making.datagrams,
      });
    } catch (error) {
      making.doors.forEach((door) => door.close());
      if (making.datagrams) close(making.datagrams);
      throw error;
    } finally {
      clearTimeout(timeout);
      this.#making.delete(name);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const ending = this.#process;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
    ending.ref();
    ending.kill('SIGKILL');
    await once(ending, 'exit');
  }

  #jail(made: {
    name: string;
    uid: number | null;
    pid: number;
    namespaces: NamespaceDescriptors;
    doors: Server[];
    datagrams: DatagramSocket | null;
  }): Jail {
    const { name, uid, pid, namespaces, doors, datagrams } = made;
    const user = this.options.unshare ? [`--user=/proc/${pid}/ns/user`, '--preserve-credentials'] : [];
    const stillThere = () => this.#process?.pid === pid;
    let isHeld = true;
    const letGo = () => {
      if (isHeld && stillThere()) this.#tell({ letGo: Object.values(namespaces) });
      isHeld = false;
    };
    return {
      name,
      uid,
      path: `/proc/${pid}/fd/${this.#rootFd}/jails/${name}`,
      enter: [
        ...user,
        ...Object.entries(namespaces).map(([kind, descriptor]) => `--${kind}=/proc/${pid}/fd/${descriptor}`),
      ],
      doors,
      datagrams,
      isKept: stillThere,
      letGo,
      remove: () => {
        letGo();
        doors.forEach((door) => door.close());
        if (datagrams) close(datagrams);
        if (stillThere()) this.#tell({ remove: name });
      },
    };
  }

  #start(): Promise<void> {
    const { deno, unshare, root } = this.options;
    mkdirSync(root, { recursive: true });
    const program = fileURLToPath(
      new URL(`./jailer.program${extensionOf(import.meta.url)}`, import.meta.url),
    );
    const flags = ['--quiet', '--no-config', '--no-lock', '--no-remote', '--no-npm', '--no-prompt'];
    const permissions = ['--allow-ffi', '--allow-read', '--allow-write'];
    const setup = JSON.stringify(this.#setup());
    // Deno would take the channel for its own if it knew of it.
    const chain = ['env', '-u', 'NODE_CHANNEL_FD', deno, 'run', ...flags, ...permissions, program, setup];
    if (unshare) chain.unshift(unshare, '--user', '--map-root-user', '--net', '--');
    const child = spawn(chain[0]!, chain.slice(1), {
      cwd: '/',
      env: { PATH: '/usr/bin:/bin', DENO_DIR: '/dev/null/deno', DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' },
      stdio: ['pipe', 'ignore', 'pipe', 'ipc'],
      detached: true,
    });
    this.#process = child;
    return this.#untilReady(child);
  }

  #untilReady(child: ChildProcess): Promise<void> {
    let words = '';
    child.stderr!.on('data', (chunk: Buffer) => {
      words = (words + chunk.toString()).slice(-limits.stderrTailChars);
    });
    child.stdin!.on('error', () => {});
    child.unref();
    (child.stdin as unknown as { unref(): void }).unref();
    (child.stderr as unknown as { unref(): void }).unref();
    child.channel?.unref();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#fail(new Error('The jailer did not start.')),
        limits.bootTimeoutMs,
      );
      child.on('message', (reply: JailerReply, handle: unknown) => {
        if (!('ready' in reply)) return this.#hear(reply, handle);
        clearTimeout(timer);
        this.#rootFd = reply.rootFd;
        resolve();
      });
      const onEnd = () => {
        clearTimeout(timer);
        const error = new Error(`The jailer ended: ${words.trim()}`);
        reject(error);
        if (this.#process === child) this.#fail(error);
      };
      child.once('error', onEnd);
      child.once('exit', onEnd);
    });
  }

  /** What is being made fails; the next order starts a new jailer. Jails with a process in them go on. */
  #fail(error: Error): void {
    this.#process?.kill('SIGKILL');
    this.#process = null;
    this.#started = null;
    for (const making of this.#making.values()) making.reject(error);
  }

  #hear(reply: Exclude<JailerReply, { ready: true }>, handle: unknown): void {
    const making = this.#making.get(reply.jail);
    if ('port' in reply) {
      const door = createServer({ allowHalfOpen: true, noDelay: true });
      door.on('error', () => {});
      door.listen(handle as object).unref();
      if (making) making.doors.push(door);
      else door.close();
    } else if ('datagramPort' in reply) {
      const socket = (handle as DatagramSocket).on('error', () => {}).unref();
      if (making) making.datagrams = socket;
      else close(socket);
    } else if ('error' in reply) {
      making?.reject(new Error(`The host cannot make a jail: ${reply.error}`));
    } else {
      making?.resolve(reply.namespaces);
    }
  }

  #tell(request: JailerRequest): void {
    this.#process?.stdin!.write(`${JSON.stringify(request)}\n`);
  }

  #setup(): JailerSetup {
    const { root, visible, hidden, trees = null } = this.options;
    const asIs = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];
    const configuration = ['/etc/ld.so.cache', '/etc/ssl', '/etc/ca-certificates', '/etc/pki'];
    const devices = ['/dev/null', '/dev/zero', '/dev/random', '/dev/urandom'];
    return {
      root,
      trees,
      hidden,
      visible: [
        ...[...asIs, ...configuration, ...devices].map((path) => ({ from: path, to: path })),
        { from: realpathSync(this.options.deno), to: jailPaths.deno },
        ...visible,
      ],
      files: {
        '/etc/hosts': '127.0.0.1 localhost\n',
        // Over TCP no question is lost when many are asked at once. Resolvers of others than libc do not know the option.
        '/etc/resolv.conf': 'nameserver 127.0.0.1\noptions use-vc attempts:1\n',
      },
    };
  }
}

/** A socket that was flooded is closed already, which Node.js does not tell. */
function close(socket: DatagramSocket): void {
  try {
    socket.close();
  } catch {
    // As it should be.
  }
}

function extensionOf(url: string): string {
  return url.slice(url.lastIndexOf('.'));
}
