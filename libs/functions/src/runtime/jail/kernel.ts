/**
 * Calls into the kernel, by libc, for programs that run in Deno. Linux only; the constants are those that x86-64 and
 * arm64 share unless they say otherwise.
 */

/** The part of Deno that is used here. */
interface DenoForKernel {
  readonly build: { readonly arch: 'x86_64' | 'aarch64' };
  dlopen<Name extends string>(
    library: string,
    symbols: Record<Name, { parameters: readonly string[]; result: string }>,
  ): { symbols: Record<Name, (...values: unknown[]) => number | bigint> };
  UnsafePointer: { of(buffer: Uint8Array): unknown; value(pointer: unknown): bigint };
  UnsafePointerView: new (pointer: unknown) => { getInt32(): number };
}

const { Deno } = globalThis as unknown as { Deno: DenoForKernel };

const int = 'i32';
const pointer = 'buffer';

const libc = Deno.dlopen('libc.so.6', {
  unshare: { parameters: [int], result: int },
  setns: { parameters: [int, int], result: int },
  mount: { parameters: [pointer, pointer, pointer, 'u64', pointer], result: int },
  umount2: { parameters: [pointer, int], result: int },
  statfs: { parameters: [pointer, pointer], result: int },
  mkdir: { parameters: [pointer, 'u32'], result: int },
  rmdir: { parameters: [pointer], result: int },
  symlink: { parameters: [pointer, pointer], result: int },
  chown: { parameters: [pointer, 'u32', 'u32'], result: int },
  chdir: { parameters: [pointer], result: int },
  open: { parameters: [pointer, int, int], result: int },
  openat: { parameters: [int, pointer, int, int], result: int },
  close: { parameters: [int], result: int },
  socket: { parameters: [int, int, int], result: int },
  setsockopt: { parameters: [int, int, int, pointer, 'u32'], result: int },
  bind: { parameters: [int, pointer, 'u32'], result: int },
  listen: { parameters: [int, int], result: int },
  ioctl: { parameters: [int, 'u64', pointer], result: int },
  sendmsg: { parameters: [int, pointer, int], result: 'isize' },
  send: { parameters: [int, pointer, 'usize', int], result: 'isize' },
  recv: { parameters: [int, pointer, 'usize', int], result: 'isize' },
  syscall: { parameters: ['i64', pointer, pointer], result: 'i64' },
  __errno_location: { parameters: [], result: 'pointer' },
}).symbols;

export const namespaces = {
  mount: 0x2_0000,
  network: 0x4000_0000,
  ipc: 0x0800_0000,
  uts: 0x0400_0000,
} as const;

export const mountFlags = {
  readOnly: 0x1,
  noSetUid: 0x2,
  noDevices: 0x4,
  noExecute: 0x8,
  remount: 0x20,
  bind: 0x1000,
  recursive: 0x4000,
  isPrivate: 0x4_0000,
} as const;

const inet = 2;
const inet6 = 10;
/** SIOCSIFFLAGS (netdevice(7)). */
const setFlags = 0x8914n;

const closeOnExec = 0o2000000;
const nonBlocking = 0o4000;
const directoryOnly = Deno.build.arch === 'aarch64' ? 0o40000 : 0o200000;
const pivotRootNumber = Deno.build.arch === 'aarch64' ? 41n : 155n;

function cString(text: string | null): Uint8Array<ArrayBuffer> | null {
  return text === null ? null : new TextEncoder().encode(`${text}\0`);
}

function checked(result: number | bigint, what: string): number {
  if (Number(result) >= 0) return Number(result);
  const errno = new Deno.UnsafePointerView(libc.__errno_location()).getInt32();
  throw new Error(`${what} failed with errno ${errno}`);
}

/** Moves the calling thread, and it alone, into new namespaces. */
export function unshare(kinds: number): void {
  checked(libc.unshare(kinds), 'unshare');
}

export function setNamespace(descriptor: number, kind: number): void {
  checked(libc.setns(descriptor, kind), 'setns');
}

/** A descriptor by which the namespaces of this thread can be opened even when no `/proc` is mounted any more. */
export function openThreadNamespaces(): number {
  return checked(
    libc.open(cString('/proc/thread-self/ns'), directoryOnly | closeOnExec, 0),
    'open of namespaces',
  );
}

/** A descriptor of a directory; the path is the one that this thread's mount namespace has. */
export function openDirectory(path: string): number {
  return checked(libc.open(cString(path), directoryOnly | closeOnExec, 0), `open of ${path}`);
}

export function openNamespace(threadNamespaces: number, name: 'mnt' | 'net' | 'ipc' | 'uts'): number {
  return checked(libc.openat(threadNamespaces, cString(name), closeOnExec, 0), `open of namespace ${name}`);
}

export function close(descriptor: number): void {
  libc.close(descriptor);
}

export function mount(options: {
  from: string | null;
  to: string;
  type?: string;
  flags?: number;
  data?: string;
}): void {
  const { from, to, type = null, flags = 0, data = null } = options;
  const result = libc.mount(cString(from), cString(to), cString(type), BigInt(flags), cString(data));
  checked(result, `mount of ${to}`);
}

/** Shows `from` at `to` as well. @param flags beside those of the source, and nosuid */
export function bind(from: string, to: string, flags: number): void {
  mount({ from, to, flags: mountFlags.bind | mountFlags.recursive });
  const remount = mountFlags.bind | mountFlags.remount | mountFlags.noSetUid | flags;
  // What the source is mounted with may not be taken away in a user namespace (mount_namespaces(7)).
  mount({ from: null, to, flags: remount | presentFlags(to) });
}

/** nodev, noexec, noatime and so on of a mount; statvfs and mount agree on the low bits. `f_flags` is at byte 80. */
function presentFlags(path: string): number {
  const status = new Uint8Array(120);
  checked(libc.statfs(cString(path), status), `statfs of ${path}`);
  const present = Number(new DataView(status.buffer).getBigUint64(80, true));
  const relativeTimes = present & 0x1000 ? 0x20_0000 : 0;
  return (present & 0xc0f) | relativeTimes;
}

export function unmount(path: string): void {
  const detach = 2;
  checked(libc.umount2(cString(path), detach), `unmount of ${path}`);
}

/** Makes `root` the root directory of this thread's mount namespace and lets go of the old one. */
export function pivotRoot(root: string, oldRoot: string): void {
  checked(libc.syscall(pivotRootNumber, cString(root), cString(`${root}${oldRoot}`)), 'pivot_root');
  checked(libc.chdir(cString('/')), 'chdir');
  unmount(oldRoot);
}

export function makeDirectory(path: string, mode: number, owner?: number): void {
  checked(libc.mkdir(cString(path), mode), `mkdir of ${path}`);
  if (owner !== undefined) checked(libc.chown(cString(path), owner, owner), `chown of ${path}`);
}

export function removeDirectory(path: string): void {
  checked(libc.rmdir(cString(path)), `rmdir of ${path}`);
}

export function makeSymlink(target: string, path: string): void {
  checked(libc.symlink(cString(target), cString(path)), `symlink of ${path}`);
}

/** Switches the loopback device on (netdevice(7)): a new network namespace has it, but down. */
export function raiseLoopback(): void {
  const request = new Uint8Array(40);
  request.set(cString('lo')!);
  const upAndRunning = 0x41;
  new DataView(request.buffer).setInt16(16, upAndRunning, true);
  withSocket(inet, (socket) => checked(libc.ioctl(socket, setFlags, request), 'raising the loopback device'));
}

/**
 * Has the loopback device take TCP connections to any address whatever, of both families, as if each were its own. What
 * is not TCP stays unreachable, where the kernel can tell it apart (CONFIG_IP_MULTIPLE_TABLES).
 */
export function takeEveryAddress(): void {
  const error = withSocket(netlink, (socket) => {
    // It asks the local table itself for whom an address of IPv4 belongs to, so the route must be there; the rules have
    // that table answer for TCP and for 127.0.0.0/8 only, where it answers for all otherwise.
    const failed = netlinkError(socket, localRoute(inet, localTable));
    const rules = [tcpRule(inet, localTable, 1), loopbackRule(2)];
    const areMade = failed === 0 && rules.every((rule) => netlinkError(socket, rule) === 0);
    if (areMade) netlinkError(socket, firstRule());
    return failed;
  });
  if (error !== 0) throw new Error(`A route to every address failed with errno ${-error}`);
  // A host may do without IPv6, and then its jails do, too.
  withSocket(netlink, (socket) => {
    const table = netlinkError(socket, tcpRule(inet6, tableForTcp, 1)) === 0 ? tableForTcp : localTable;
    netlinkError(socket, localRoute(inet6, table));
  });
}

const netlink = 16;
/** Table that is asked first, and one of our own. */
const [localTable, tableForTcp] = [255, 100];
/** Of rules: `struct fib_rule_hdr` and its attributes (linux/fib_rules.h). */
const [newRule, removeRule, toTable] = [32, 33, 1];
const ruleAttribute = { destination: 1, priority: 6, protocol: 22 } as const;

/** `ip rule add ipproto tcp lookup <table>` */
function tcpRule(family: number, table: number, priority: number): Uint8Array {
  const tcp = 6;
  return netlinkMessage(newRule, ruleOf(family, table), [
    [ruleAttribute.priority, priority],
    [ruleAttribute.protocol, tcp, 1],
  ]);
}

/** `ip rule add to 127.0.0.0/8 lookup local` */
function loopbackRule(priority: number): Uint8Array {
  return netlinkMessage(newRule, ruleOf(inet, localTable, 8), [
    [ruleAttribute.priority, priority],
    [ruleAttribute.destination, 127],
  ]);
}

/** `ip rule del pref 0`: the one that has the local table answer for all. */
function firstRule(): Uint8Array {
  return netlinkMessage(removeRule, ruleOf(inet, localTable), [[ruleAttribute.priority, 0]]);
}

function ruleOf(family: number, table: number, destinationBits = 0): Uint8Array {
  return new Uint8Array([family, destinationBits, 0, 0, table, 0, 0, toTable, 0, 0, 0, 0]);
}

/** `ip route add local default dev lo table …`: type, scope and table are those of a device's own address. */
function localRoute(family: number, table: number): Uint8Array {
  const [newRoute, byAdministrator, onThisHost, local] = [24, 4, 254, 2];
  const [outgoingDevice, loopback] = [4, 1];
  const route = [family, 0, 0, 0, table, byAdministrator, onThisHost, local, 0, 0, 0, 0];
  return netlinkMessage(newRoute, new Uint8Array(route), [[outgoingDevice, loopback]]);
}

/** A request to make something, and to be told whether that went well; an attribute is a small number of 4 bytes, or of fewer. */
function netlinkMessage(
  type: number,
  body: Uint8Array,
  attributes: readonly (readonly [kind: number, value: number, sizeBytes?: number])[],
): Uint8Array {
  const headBytes = 16;
  const message = new Uint8Array(headBytes + body.length + 8 * attributes.length);
  const view = new DataView(message.buffer);
  const createAndAcknowledge = 0x405;
  view.setUint32(0, message.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, createAndAcknowledge, true);
  message.set(body, headBytes);
  attributes.forEach(([kind, value, sizeBytes = 4], index) => {
    const at = headBytes + body.length + 8 * index;
    view.setUint16(at, 4 + sizeBytes, true);
    view.setUint16(at + 2, kind, true);
    view.setUint32(at + 4, value, true);
  });
  return message;
}

/** @returns 0, or the negative errno of `struct nlmsgerr` */
function netlinkError(socket: number, message: Uint8Array): number {
  checked(libc.send(socket, message, BigInt(message.length), 0), 'asking the kernel for a route');
  const answer = new Uint8Array(1024);
  checked(libc.recv(socket, answer, BigInt(answer.length), 0), 'hearing of a route');
  return new DataView(answer.buffer).getInt32(16, true);
}

/** Listens on a TCP port of every address of this thread's network namespace, of both families where there are two. */
export function listen(port: number): number {
  const flags = 1 | closeOnExec | nonBlocking;
  const dual = libc.socket(inet6, flags, 0);
  const socket = Number(dual) >= 0 ? Number(dual) : checked(libc.socket(inet, flags, 0), 'socket');
  const address = new Uint8Array(Number(dual) >= 0 ? 28 : 16);
  address.set([Number(dual) >= 0 ? inet6 : inet, 0, port >> 8, port & 255]);
  setOption(socket, 1, 2, 1);
  if (Number(dual) >= 0) setOption(socket, 41, 26, 0);
  checked(libc.bind(socket, address, address.length), `bind of port ${port}`);
  checked(libc.listen(socket, 511), `listen on port ${port}`);
  return socket;
}

/** Takes datagrams on a UDP port of 127.0.0.1, where a jail's resolver asks. */
export function receiveDatagrams(port: number): number {
  const datagrams = 2;
  const socket = checked(libc.socket(inet, datagrams | closeOnExec | nonBlocking, 0), 'socket');
  const address = new Uint8Array([inet, 0, port >> 8, port & 255, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  checked(libc.bind(socket, address, address.length), `bind of UDP port ${port}`);
  return socket;
}

function setOption(socket: number, level: number, name: number, value: 0 | 1): void {
  checked(libc.setsockopt(socket, level, name, new Uint8Array([value, 0, 0, 0]), 4), 'setsockopt');
}

function withSocket<T>(family: number, work: (socket: number) => T): T {
  const socket = checked(libc.socket(family, 2 | closeOnExec, 0), 'socket');
  try {
    return work(socket);
  } finally {
    close(socket);
  }
}

/** Sends bytes over a Unix socket, with a descriptor beside them (unix(7), SCM_RIGHTS) when one is given. */
export function send(channel: number, bytes: Uint8Array<ArrayBuffer>, descriptor?: number): void {
  const addressOf = (buffer: Uint8Array) => Deno.UnsafePointer.value(Deno.UnsafePointer.of(buffer));
  const vector = new Uint8Array(16);
  const vectorView = new DataView(vector.buffer);
  vectorView.setBigUint64(0, BigInt(addressOf(bytes)), true);
  vectorView.setBigUint64(8, BigInt(bytes.length), true);
  const control = new Uint8Array(24);
  const header = new Uint8Array(56);
  const headerView = new DataView(header.buffer);
  headerView.setBigUint64(16, BigInt(addressOf(vector)), true);
  headerView.setBigUint64(24, 1n, true);
  if (descriptor !== undefined) {
    const controlView = new DataView(control.buffer);
    controlView.setBigUint64(0, 20n, true);
    controlView.setInt32(8, 1, true);
    controlView.setInt32(12, 1, true);
    controlView.setInt32(16, descriptor, true);
    headerView.setBigUint64(32, BigInt(addressOf(control)), true);
    headerView.setBigUint64(40, 24n, true);
  }
  const sent = checked(libc.sendmsg(channel, header, 0), 'sendmsg');
  if (sent !== bytes.length) throw new Error('The server does not read its channel.');
}

/** Throws away what has arrived on a socket. */
export function drain(channel: number): void {
  const buffer = new Uint8Array(65_536);
  const doNotWait = 0x40;
  while (Number(libc.recv(channel, buffer, BigInt(buffer.length), doNotWait)) === buffer.length);
}
